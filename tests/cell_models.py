"""Cells of a device for tests that have no chip around them."""

from __future__ import annotations

from archsim.config.schema.device import DeviceFile
from archsim.device import CellSpec, WeightFormat
from tsb.cells.cell_model import CellModel


def cell_model(
    device: DeviceFile,
    *,
    weight_bits: int = 8,
    bits_per_cell: int = 2,
    encoding: str = "magnitude",
    verifiable: bool = True,
) -> CellModel:
    """The cells of a device, with the encoding that the literature assumes."""
    spec = CellSpec(
        device=device,
        weight_format=WeightFormat(
            weight_bits=weight_bits, bits_per_cell=bits_per_cell, encoding=encoding
        ),
        stored_encoding=encoding,
        sigma_of_range=device.of_range(device.sigma),
    )
    return CellModel.of(spec, verifiable=verifiable)
