"""The axis legend: what the letters in every shape annotation of archsim mean.

Batch axes come first and are written ``*batch``; they may be empty, so that one design is shape
``()``. Per-layer tensors end in ``layer``. Operands need only broadcast against each other: a
parameter that does not vary keeps shape ``()`` and costs nothing.

========== =====================================================================================
``*batch`` any number of design axes (sweep points, samples); row *i* equals the scalar call
``layer``  matrix layers in execution order, backbone first, then the TSB insertions
``plane``  input bit-planes, most significant first
``digit``  weight digits (bit slices), most significant first
``level``  conductance levels of a cell
``sample`` Monte Carlo draws
========== =====================================================================================
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

PerDesign = Float[Tensor, "*batch"]
PerDesignCount = Int[Tensor, "*batch"]
PerDesignFlag = Bool[Tensor, "*batch"]
PerLayer = Float[Tensor, "*batch layer"]
PerLayerFlag = Bool[Tensor, "*batch layer"]


def broadcast_shapes(*shapes: torch.Size) -> torch.Size:
    """Return the shape that shapes have together.

    That of PyTorch loads sympy for symbolic sizes, a third of a second of every command.

    Args:
        *shapes: that broadcast against each other.

    Raises:
        ValueError: they do not.
    """
    return torch.Size(np.broadcast_shapes(*shapes))
