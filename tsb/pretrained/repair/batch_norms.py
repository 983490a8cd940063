"""Batch norms that take the means and variances of what the chip gives them."""

from __future__ import annotations

from tsb.pretrained.repair.base import NormRepair


class BatchNormRecalibration(NormRepair):
    """New running means and variances, one norm after the other, each behind repaired ones."""

    name = "batch-norm"
    description = "means and variances of batch norms measured on the chip"
    needs = "nothing: scales and biases of batch norms are there anyway"
    source = "Joshi et al., Nature Communications 11, 2020, doi:10.1038/s41467-020-16108-9"
