"""Tolerances that follow from the number of draws: five standard errors, never loosened."""

from __future__ import annotations

import torch
from torch import Tensor

#: Standard errors allowed: one test in 1.7 million fails by chance.
ERRORS = 5.0


def seeded(seed: int = 0) -> torch.Generator:
    """Return a fresh generator."""
    return torch.Generator().manual_seed(seed)


def mean_error(samples: Tensor) -> float:
    """Return five standard errors of the mean of independent samples."""
    return ERRORS * float(samples.double().std() / samples.numel() ** 0.5)


def rms_error(samples: Tensor) -> float:
    """Return five standard errors of the root mean square of independent samples."""
    squares = samples.double().square()
    return mean_error(squares) / (2 * float(squares.mean().sqrt()))
