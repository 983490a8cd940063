"""What a ``report.json`` must hold to be compared; whatever else it says is kept as it is."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from archsim.errors import Code, DataError
from archsim.results.metric import Place
from archsim.results.metrics import shown_in

SCHEMA = 1
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_LISTED = 3


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Design(_Part):
    method: str
    sigma: _Number
    design: str

    @model_validator(mode="after")
    def _has_numbers(self) -> _Design:
        others = ("accuracy", "ci95_low", "ci95_high", "trained_weights", "verified_weights")
        for key in (*others, *(metric.key for metric in shown_in(Place.REPORT))):
            value = (self.model_extra or {}).get(key)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float)
            ):
                raise ValueError(f"{key} is no number")
        return self


class _Case(_Part):
    sigma: _Number
    network: str = ""
    data: str = ""


class _Inputs(_Part):
    studies: list[dict[str, Any]] = []
    runs: list[dict[str, Any]] = []
    sweeps: list[dict[str, Any]] = []
    configurations: list[str] = []
    settings: dict[str, Any] = {}
    settings_of: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _has_both_settings(self) -> _Inputs:
        """An older report has neither the settings of all designs nor those of each."""
        if len({"settings", "settings_of"} & self.model_fields_set) == 1:
            raise ValueError("settings and settings_of belong together")
        return self


class _Report(_Part):
    designs: list[_Design]
    cases: list[_Case] | None = None
    answer: list[str] = []
    inputs: _Inputs = _Inputs()


def check_report(content: Any, where: str = "report.json") -> dict[str, Any]:
    """Return the content of a ``report.json`` that can be compared.

    Args:
        content: as read.
        where: the file, for the error.

    Raises:
        DataError: not a report, of another version, or with a part of another kind.
    """
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or "designs" not in content:
        raise DataError.of(
            Code.WRONG_FILE,
            where,
            problem=f"not a report of this version of archsim (schema {SCHEMA}); archsim report "
            "RUN makes it anew",
        )
    try:
        _Report.model_validate(content)
    except ValidationError as error:
        said = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise DataError.of(
            Code.DAMAGED_FILE, where, problem=f"damaged: {'; '.join(said[:_LISTED])}"
        ) from error
    return content
