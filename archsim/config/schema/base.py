"""What all models of the schema share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from archsim.errors import Code, Problem, RejectedValueError


class Model(BaseModel):
    """A block of keys: frozen, no unknown keys, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


def _whole(value: Any) -> Any:
    """Refuse what only equals a whole number: true, 8.0."""
    if not isinstance(value, int) or isinstance(value, bool):
        said = "input should be a valid integer"
        raise RejectedValueError(Problem(said, Code.WRONG_TYPE, value=value))
    return value


#: For a choice among whole numbers, which goes by what is equal.
WHOLE = BeforeValidator(_whole)
#: Copies, tiles, units: 2^24 is beyond what any chip has.
Count = Annotated[int, Field(strict=True, ge=1, le=2**24)]
Fraction = Annotated[float, Field(ge=0, le=1)]
#: What a file says of itself.
About = Annotated[str, Field(description="what it is, in one line; shown by archsim list")]
