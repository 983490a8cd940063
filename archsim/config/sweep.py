"""What a sweep file may say: a base design, axes that vary it, and what is asked of the points.

Every axis is a setting by its dotted path, as with ``--set``; its values are a list, a range, or
another axis's. Values are checked against the schema of what they set before anything runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from archsim.config.checked import validate_model
from archsim.config.choices import Placement
from archsim.config.load import apply_overrides, load_preset
from archsim.config.resolve import DEFAULT_CHIP
from archsim.config.schema.base import About, Count, Model
from archsim.config.schema.name import Name
from archsim.config.study import ReadPathMode
from archsim.errors import NOT_GIVEN, Code, ConfigError, Problem, RejectedValueError
from archsim.util.checks import MAX_SEED

#: One value of an axis.
Scalar = bool | int | float | str | None

#: Most values of a single axis: each is checked by itself, in 0.3 ms or so, a file in 5 ms.
MAX_VALUES = 10_000
#: Largest number: all whole ones up to it are exact.
MAX_NUMBER = 9e15
#: Combinations per part: what a kill can lose per process, and what a part holds in memory.
PART_POINTS = 65_536
#: Most of them: a part is computed and written in one piece.
MAX_PART_POINTS = 10_000_000


def _rejected(
    said: str,
    code: Code,
    field: str | None = None,
    value: object = NOT_GIVEN,
    allowed: str | tuple[str, ...] | None = None,
) -> RejectedValueError:
    return RejectedValueError(Problem(said, code, field, value, allowed))


def _same_kind(values: Any) -> Any:
    """Refuse what is no list of plain values, in one line."""
    if not isinstance(values, list) or not values:
        said = "not a list of values; allowed: one value or more, e.g. [1, 2, 4]"
        raise _rejected(said, Code.WRONG_TYPE, allowed="one value or more")
    for value in values:
        if not isinstance(value, bool | int | float | str | None):
            allowed = "numbers, texts, true, false or null"
            said = f"{value!r}: allowed: {allowed}"
            raise _rejected(said, Code.WRONG_TYPE, value=value, allowed=allowed)
        if isinstance(value, int | float) and not abs(value) <= MAX_NUMBER:
            allowed = f"-{MAX_NUMBER:.0e} to {MAX_NUMBER:.0e}"
            said = f"{value!r}: allowed: {allowed}"
            raise _rejected(said, Code.OUT_OF_RANGE, value=value, allowed=allowed)
    if len(values) > MAX_VALUES:
        allowed = f"at most {MAX_VALUES}"
        said = f"{len(values)} values; allowed: {allowed}"
        raise _rejected(said, Code.OUT_OF_RANGE, value=len(values), allowed=allowed)
    seen = set()
    for value in values:
        marked = (type(value) is bool, value)
        if marked in seen:
            raise _rejected(f"{value!r} is given twice", Code.GIVEN_TWICE, value=value)
        seen.add(marked)
    return values


Values = Annotated[list[Any], BeforeValidator(_same_kind)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Axis(Model):
    """The values of one setting; give ``values``, a range, or ``same_as``.

    A range runs from ``from`` to ``to``, both included where a step meets them: in steps that are
    added (``step``) or multiplied (``factor``), or as so many ``points``, evenly spaced in the
    values or (``scale: log``) in their logarithms.
    """

    values: Values | None = Field(
        default=None, description="the values themselves; null: a range or same_as"
    )
    start: Number | None = Field(
        default=None, alias="from", description="first value of a range; null: no range"
    )
    to: Number | None = Field(
        default=None,
        description="last value of a range, included where a step meets it; null: no range",
    )
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="range: added from value to value; null: factor or points"
    )
    factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = Field(
        default=None, description="range: multiplies from value to value; null: step or points"
    )
    points: Annotated[int, Field(strict=True, ge=2, le=MAX_VALUES)] | None = Field(
        default=None, description="range: number of values; null: step or factor"
    )
    scale: Literal["linear", "log"] = Field(
        default="linear",
        description="range by points: evenly spaced in the values, or in their logarithms",
    )
    same_as: str | None = Field(default=None, description="another axis, whose values it takes")
    when: str | None = Field(
        default=None,
        description="condition on other axes, e.g. 'design != none'; where it does not hold the "
        "setting keeps the base's value, and there is one point instead of one per value",
    )

    @model_validator(mode="after")
    def _one_form(self) -> Axis:
        forms = {
            "values": self.values is not None,
            "from/to": self.start is not None or self.to is not None,
            "same_as": self.same_as is not None,
        }
        given = [name for name, is_given in forms.items() if is_given]
        if len(given) != 1:
            raise _rejected(
                f"{' and '.join(given) or 'nothing'} given; allowed: exactly one of values, "
                "from/to, same_as",
                Code.CONFLICT if given else Code.MISSING_KEY,
                value=given,
                allowed=tuple(forms),
            )
        spacing = [name for name in ("step", "factor", "points") if getattr(self, name) is not None]
        if given == ["from/to"]:
            self._check_range(spacing)
        elif spacing or self.scale != "linear":
            raise _rejected(
                f"{given[0]} with {' and '.join(spacing or ['scale'])}: those are "
                "for a range from/to",
                Code.CONFLICT,
                value=[*given, *(spacing or ["scale"])],
            )
        if self.same_as is not None and self.when is not None:
            said = "same_as with when: it follows the other axis, its condition too"
            raise _rejected(said, Code.CONFLICT, "same_as", self.same_as)
        return self

    def _check_range(self, spacing: list[str]) -> None:
        if self.start is None or self.to is None:
            missing = "from" if self.start is None else "to"
            raise _rejected("a range needs both from and to", Code.MISSING_KEY, missing)
        if self.to <= self.start:
            said = f"from = {self.start:g} is not below to = {self.to:g}"
            raise _rejected(said, Code.CONFLICT, "from", self.start, f"below {self.to:g}")
        if len(spacing) != 1:
            raise _rejected(
                f"{' and '.join(spacing) or 'no spacing'} given; allowed: exactly one of step, "
                "factor, points",
                Code.CONFLICT if spacing else Code.MISSING_KEY,
                value=spacing,
                allowed=("step", "factor", "points"),
            )
        if (self.factor is not None or self.scale == "log") and self.start <= 0:
            said = f"from = {self.start:g} on a log scale; allowed: above 0"
            raise _rejected(said, Code.OUT_OF_RANGE, "from", self.start, "above 0")
        if self.scale == "log" and self.points is None:
            said = "scale = log goes with points; a factor is on that scale by itself"
            raise _rejected(said, Code.CONFLICT, "scale", self.scale)
        if self._span(self.start, self.to) + 1 > MAX_VALUES:
            said, most = f"{spacing[0]}: gives more than {MAX_VALUES} values", str(MAX_VALUES)
            given = getattr(self, spacing[0])
            raise _rejected(said, Code.OUT_OF_RANGE, spacing[0], given, f"at most {most}")

    def _span(self, start: int | float, to: int | float) -> int | float:
        """Steps from one end of the range to the other."""
        if self.step is not None:
            return (to - start) / self.step
        if self.factor is not None:
            return math.log(to / start) / math.log(self.factor)
        return (self.points or 2) - 1

    def numbers(self) -> list[float]:
        """Return the values of a range, ascending.

        Raises:
            ValueError: it is not a range.
        """
        if self.start is None or self.to is None:
            raise ValueError("not a range")
        slack = 1e-9  # a last step that rounding puts beyond the end still counts
        count = math.floor(self._span(self.start, self.to) + slack) + 1
        if self.step is not None:
            return [self.start + index * self.step for index in range(count)]
        if self.factor is not None:
            return [self.start * self.factor**index for index in range(count)]
        last = (self.points or 2) - 1
        if self.scale == "log":
            ratio = self.to / self.start
            inner = [self.start * ratio ** (index / last) for index in range(1, last)]
        else:
            inner = [self.start + (self.to - self.start) * i / last for i in range(1, last)]
        return [self.start, *inner, self.to]


def _as_axis(given: Any) -> Any:
    """A list is short for its values; an axis that was made before stays."""
    return {"values": given} if isinstance(given, list) else given


class AccuracyOfPoints(Model):
    """Which study says how accurate a point is: see archsim/explore/accuracy/accuracy.py."""

    study: str = Field(description="preset or YAML file: data, training, chips, methods")
    method: str = Field(description="of the study, for points with a shared block")
    base: str | None = Field(
        default=None, description="of the study, for points without; null: the study's baseline"
    )
    read_path: ReadPathMode | None = Field(
        default=None,
        description="off: accuracies know no converter, rows, inputs or wires; exact: everything "
        "that the chip of a point does when it reads; null: the study's",
    )
    predict: bool = Field(
        default=False,
        description="with read_path exact: measure some cases and those on the front or near it, "
        "and predict the others, in columns of their own",
    )
    max_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="no evaluation is begun after so long; null: all are done"
    )


class Strategy(Model):
    """How the space is looked at."""

    kind: Literal["exhaustive", "optuna", "gradient"] = Field(
        default="exhaustive",
        description="every point; a search by Optuna; or descent by gradient from points of the "
        "front",
    )
    sampler: Literal["nsga2", "nsga3", "tpe", "random"] = Field(
        default="nsga2", description="optuna: which of its samplers"
    )
    trials: Count = Field(
        default=1000,
        description="optuna: points that are looked at; one that comes again counts again",
    )
    population: Count = Field(default=50, description="optuna: points per generation or batch")
    storage: str | None = Field(
        default=None, description="optuna: any of its storage URLs; null: SQLite in the folder"
    )
    steps: Count = Field(default=100, description="gradient: of Adam, from every start")
    starts: Count = Field(default=8, description="gradient: points of the front to begin with")
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=0.03, description="gradient: of Adam, on the logarithms of the parameters"
    )
    weights: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = Field(
        default=None, description="gradient: of each objective's logarithm; null: all equal"
    )
    seed: Annotated[int, Field(strict=True, ge=0, le=MAX_SEED)] = Field(
        default=0, description="optuna: of its sampler"
    )


class Sweep(Model):
    """A base design, the axes that vary it, and what is wanted of the points."""

    name: Name
    description: About = ""
    network: str = Field(
        default="vgg8", description="zoo name, model.onnx, layers.csv or package.module:function"
    )
    input_shape: list[Count] | None = Field(
        default=None, description="channels, height, width, where the network does not say"
    )
    chip: str = Field(default=DEFAULT_CHIP, description="base design: preset or YAML file")
    technology: str | None = Field(default=None, description="replaces the chip's")
    device: str | None = Field(default=None, description="replaces the chip's")
    tsb: str | None = Field(default=None, description="null: the paper's block for the network")
    design: Placement = Field(
        default="none", description="shared block: none, one common, or separate for each layer"
    )
    settings: list[str] = Field(
        default_factory=list, alias="set", description="path=value, as --set of archsim map"
    )
    axes: dict[str, Annotated[Axis, BeforeValidator(_as_axis)]] = Field(
        description="setting by dotted path, or network, design, chip, technology, device"
    )
    where: list[str] = Field(
        default_factory=list,
        description="conditions on the axes, e.g. 'chip.crossbar.cols >= chip.crossbar.rows': "
        "other points are left out",
    )
    constraints: list[str] = Field(
        default_factory=list, description="on results, e.g. 'area_mm2 < 50'"
    )
    objectives: list[str] = Field(
        default_factory=lambda: ["edp", "area"], description="e.g. edp, area, max:accuracy"
    )
    fidelity: Literal["hardware", "accuracy"] = Field(
        default="hardware", description="hardware only, or with the accuracy of every point"
    )
    accuracy: AccuracyOfPoints | None = Field(
        default=None, description="where accuracies come from; null: none (fidelity hardware)"
    )
    part_points: Annotated[int, Field(strict=True, ge=1, le=MAX_PART_POINTS)] = Field(
        default=PART_POINTS, description="combinations per file: what a kill loses at most"
    )
    strategy: Strategy = Strategy()

    @model_validator(mode="after")
    def _complete(self) -> Sweep:
        if not self.axes:
            said = "axes: none given; allowed: one or more"
            raise _rejected(said, Code.EMPTY, "axes", allowed="one or more")
        for path, axis in self.axes.items():
            other = axis.same_as
            if other is None:
                continue
            if other not in self.axes or self.axes[other].same_as is not None:
                known = [
                    name for name, other_axis in self.axes.items() if other_axis.same_as is None
                ]
                raise _rejected(
                    f"axes: {path} is same_as '{other}'; allowed: {', '.join(known) or 'nothing'}",
                    Code.UNKNOWN_NAME,
                    f"axes.{path}.same_as",
                    other,
                    tuple(known),
                )
        if self.fidelity == "accuracy" and self.accuracy is None:
            said = "fidelity = accuracy needs the key accuracy: which study, which method"
            raise _rejected(said, Code.MISSING_KEY, "accuracy")
        return self


def load_sweep(
    name: str, overrides: Iterable[str] = (), axes: Iterable[str] = (), **changes: object
) -> Sweep:
    """Read a sweep.

    Args:
        name: preset name (``archsim list sweeps``) or YAML path.
        overrides: ``path=value`` settings of the base design, added to those of the file; below
            ``sweep`` they change the file, e.g. ``sweep.strategy.trials=200``.
        axes: ``path=[values]`` or ``path={from: 1, to: 8, step: 1}``; a new axis, or other values
            of one of the file.
        **changes: keys of the file to replace, where they are not None.

    Raises:
        ConfigError: with the dotted path, the value and what is allowed.
    """
    document: dict[str, Any] = {"sweep": load_preset("sweep", name)}
    settings = list(overrides)
    sweep_settings = [text for text in settings if text.startswith("sweep.")]
    for key in ("strategy", "accuracy"):  # a file may leave them out
        if any(text.startswith(f"sweep.{key}.") for text in sweep_settings):
            document["sweep"][key] = document["sweep"].get(key) or {}
    content = apply_overrides(document, sweep_settings)["sweep"]
    content.update({key: value for key, value in changes.items() if value is not None})
    base = [text for text in settings if text not in sweep_settings]
    if base:
        content["set"] = [*content.get("set", []), *base]
    for text in axes:
        path, values = parse_axis(text)
        content.setdefault("axes", {})[path] = values
    return validate_model(Sweep, content, "sweep")


def parse_axis(text: str) -> tuple[str, Any]:
    """Parse ``chip.adc.bits=[4, 5, 6]`` into its path and its values.

    Args:
        text: path, ``=``, a YAML list or mapping.

    Raises:
        ConfigError: anything else.
    """
    from archsim.config.load import parse_override

    keys, values = parse_override(text)
    if not isinstance(values, list | dict):
        raise ConfigError(
            f"--axis {text}: allowed: a list or a range, e.g. {'.'.join(keys)}=[1, 2] or "
            f"{'.'.join(keys)}={{from: 1, to: 8, step: 1}}",
            code=Code.WRONG_TYPE,
            field="--axis",
            value=text,
            allowed="a list or a range",
        )
    return ".".join(keys), values
