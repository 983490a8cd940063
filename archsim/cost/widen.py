"""Give a batch of designs trailing axes, so that its fields broadcast against layers and planes."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.technology import LIST_FIELDS, Technology


def widen(design: DesignBatch, axes: int) -> DesignBatch:
    """Return the design with ``axes`` axes of length one behind the batch axes.

    Lists of the technology keep their own last axis at the end.
    """

    def plain(tensor: Tensor) -> Tensor:
        return tensor.reshape(*tensor.shape, *(1,) * axes)

    def listed(tensor: Tensor) -> Tensor:
        return tensor.reshape(*tensor.shape[:-1], *(1,) * axes, tensor.shape[-1])

    technology = Technology(
        **{
            entry.name: (listed if entry.name in LIST_FIELDS else plain)(
                getattr(design.technology, entry.name)
            )
            for entry in dataclasses.fields(Technology)
        }
    )
    values = {name: plain(getattr(design, name)) for name in DesignBatch.parameters()}
    return DesignBatch(technology=technology, **values)
