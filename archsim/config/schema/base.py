"""What all models of the schema share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A block of keys: frozen, no unknown keys, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


#: Copies, tiles, units: 2^24 is beyond what any chip has.
Count = Annotated[int, Field(strict=True, ge=1, le=2**24)]
Fraction = Annotated[float, Field(ge=0, le=1)]
