"""A macro from YAML: loaded, overridden, and refused where its parts cannot go together."""

from __future__ import annotations

from collections.abc import Iterable

from archsim.config.checked import validate_model
from archsim.config.load import Override, apply_overrides, load_preset
from archsim.config.schema.macro import Macro, MacroFile
from archsim.config.sensing import FITTING_SENSING
from archsim.errors import Code, ConfigError, Problem

#: What the constants were calibrated within: key, lowest, highest, unit.
CALIBRATED_RANGE = (
    ("node_nm", 4.0, 180.0, "nm"),
    ("vdd_V", 0.45, 1.8, "V"),
    ("adc_bits", 1.0, 9.0, "bit"),
    ("dot_product_length", 1.0, 2304.0, "terms"),
    ("input_bits_per_cycle", 1.0, 8.0, "bit"),
)
#: Kind of converter where nobody says: the calibrated one.
_ANY_KIND = "binary-search"


def load_macro(name: str, overrides: Iterable[Override] = ()) -> MacroFile:
    """Load a macro preset or YAML file and check it.

    Args:
        name: preset of ``configs/macro`` or path.
        overrides: such as ``macro.adc_bits=5``.

    Raises:
        ConfigError: an unknown name or key, a value that is not allowed, parts that do not fit.
    """
    document = apply_overrides(load_preset("macro", name), overrides)
    file = validate_model(MacroFile, document, "macro_file")
    check_macro(file.macro)
    return file


def check_macro(macro: Macro) -> None:
    """Refuse a macro whose parts cannot go together.

    Args:
        macro: each key of it is valid by itself.

    Raises:
        ConfigError: all problems, with what fits.
    """
    problems = [problem for problem in _problems(macro) if problem is not None]
    if problems:
        raise ConfigError.joined(problems)


def warnings_of(macro: Macro) -> tuple[str, ...]:
    """Return where a macro lies outside of what the constants were calibrated within.

    Args:
        macro: checked.
    """
    said = []
    for key, low, high, unit in CALIBRATED_RANGE:
        value = getattr(macro, key)
        if key == "dot_product_length" and value is None:
            value = macro.rows_read or macro.rows
        if value is not None and not low <= value <= high:
            said.append(
                f"macro.{key} = {value:g} {unit} is outside of the calibrated {low:g} to {high:g}"
            )
    if macro.memory in ("flash", "fefet"):
        said.append(f"no published {macro.memory} macro is in the calibration: priced as RRAM")
    if macro.adc_kind != _ANY_KIND:
        said.append(f"macro.adc_kind = {macro.adc_kind} is physics on top of calibrated converters")
    if macro.activity is not None:
        said.append("macro.activity is physics, not calibrated")
    return tuple(said)


def _problems(macro: Macro) -> Iterable[Problem | None]:
    fits = FITTING_SENSING[macro.memory]
    yield _unless(
        macro.sensing in fits,
        "macro.sensing",
        macro.sensing,
        f"{macro.memory} cells cannot be read so",
        ", ".join(fits),
    )
    is_digital = macro.sensing == "digital"
    for key in ("adc_bits", "adc_energy_fJ"):
        yield _unless(
            not is_digital or getattr(macro, key) is None,
            f"macro.{key}",
            getattr(macro, key),
            "a digital macro has no converters",
            "null with sensing digital",
        )
    yield _unless(
        not is_digital or macro.adc_kind == _ANY_KIND,
        "macro.adc_kind",
        macro.adc_kind,
        "a digital macro has no converters",
        f"{_ANY_KIND} (the default) with sensing digital",
    )
    yield _unless(
        is_digital or macro.adc_bits is not None,
        "macro.adc_bits",
        None,
        f"sensing {macro.sensing} needs a converter",
        "1 (comparator) to 16",
    )
    for key in ("rows_read", "rows_per_bitline"):
        value = getattr(macro, key)
        yield _unless(
            value is None or value <= macro.rows,
            f"macro.{key}",
            value,
            "more than there are",
            f"at most macro.rows = {macro.rows}",
        )
    arrays = macro.rows / (macro.rows_per_bitline or macro.rows)
    most = macro.cols * max(arrays, 1.0)
    yield _unless(
        is_digital or macro.adcs * (macro.cols_per_adc or 1.0) <= most,
        "macro.adcs" if macro.cols_per_adc is None else "macro.cols_per_adc",
        macro.adcs if macro.cols_per_adc is None else macro.cols_per_adc,
        f"{macro.adcs:g} converters of {macro.cols_per_adc or 1:g} columns each do not fit",
        f"adcs x cols_per_adc at most {most:g}",
    )
    yield _unless(
        (macro.cell_current_uA is None) == (macro.sense_time_ns is None),
        "macro.cell_current_uA",
        macro.cell_current_uA,
        "a current needs a time and a time a current",
        "both of cell_current_uA and sense_time_ns, or neither",
    )
    yield _unless(
        macro.cell_supply_V is None or macro.cell_current_uA is not None,
        "macro.cell_supply_V",
        macro.cell_supply_V,
        "does nothing without a known current",
        "null, or cell_current_uA and sense_time_ns beside it",
    )
    conducts = macro.memory not in ("sram", "edram") and macro.sensing == "current"
    yield _unless(
        macro.cell_current_uA is None or conducts,
        "macro.cell_current_uA",
        macro.cell_current_uA,
        f"cells of {macro.memory} with sensing {macro.sensing} draw no steady current",
        "a non-volatile memory with sensing current",
    )


def _unless(fine: bool, field: str, value: object, said: str, allowed: str) -> Problem | None:
    if fine:
        return None
    return Problem.of(Code.CONFLICT, field, value, problem=said, allowed=allowed)
