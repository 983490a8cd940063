"""The device file of a fit: its numbers with their source, the rest from a preset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import floor, log10
from typing import Any

from archsim.config.schema.level import fitting_bits
from archsim.device.fit.fitted import Estimate, Fitted
from archsim.errors import Code, ConfigError

#: Key of the source that every number of the file names.
_SOURCE = "fit"
_STEPS = ("tolerance", "max_pulses", "step_gain", "step_sigma")


def device_text(fitted: Fitted, *, name: str, like: str, quantiles: bool = False) -> str:
    """Return the YAML file of a device.

    Args:
        fitted: the fit.
        name: of the device.
        like: preset or file that says what was not measured: voltages, energies, times.
        quantiles: keep the shape of the errors of each level.

    Raises:
        ConfigError: quantiles beside a write-verify.
    """
    steps = [fitted.of(f"write_verify.{key}") for key in _STEPS]
    verified = all(one.value is not None for one in steps)
    if quantiles and verified:
        raise ConfigError.of(
            Code.CONFLICT,
            "quantiles (--quantiles)",
            problem="the table has pulses, and write-verify starts from normal errors",
            allowed="a table of final reads alone, without the column pulse",
        )
    bits = [int(one) for one in fitting_bits(len(fitted.levels)).split(", ")]
    source = f"fit of {fitted.file}"
    lines = [
        f"# Fit of {json.dumps(fitted.file)}: {fitted.rows} rows, {fitted.devices} cells, "
        f"{len(fitted.levels)} levels (archsim device fit).",
        f"# Numbers that are not here are those of {like}. range: 95 % interval.",
        f"extends: {json.dumps(like)}",
        "sources:",
        f"  {_SOURCE}: {json.dumps(source)}",
        f"name: {json.dumps(name)}",
        f"description: {json.dumps(f'{source}, otherwise like {like}')}",
        f"max_bits_per_cell: {_quantity(float(max(bits)), 'bit')}",
        *_line(fitted.of("r_on"), "ohm"),
        *_line(fitted.of("r_off"), "ohm"),
        "spread_reference: range",
        "sigma: null  # the root mean square of the levels",
        "sigma_profile:",
        "  kind: uniform",
        f"  factor: {_quantity(1.0, '1')}",
        "levels:",
    ]
    for level in fitted.levels:
        lines.append(f"  - mean: {_of(level.mean, None)}")
        lines.append(f"    sigma: {_of(level.sigma, 0.0)}")
    if quantiles:
        lines.append("level_shapes:")
        for level in fitted.levels:
            values = ", ".join(_short(value) for value in level.quantiles)
            lines.append(f'  - quantiles: {{value: [{values}], unit: "1", source: {_SOURCE}}}')
    lines.extend(_line(fitted.of("device_to_device_share"), "1"))
    lines.extend(_write_verify(steps, verified))
    for key in ("stuck_on_rate", "stuck_off_rate", "drift_start", "drift_nu", "drift_nu_sigma"):
        lines.extend(_line(fitted.of(key), "s" if key == "drift_start" else "1"))
    lines.extend(_line(fitted.of("read_noise_sigma"), "1"))
    lines += ["read_noise_law: null", "verify_noise_sigma: null  # that of a read"]
    return "\n".join(lines) + "\n"


def _write_verify(steps: list[Estimate], verified: bool) -> Iterator[str]:
    if not verified:
        missing = next(one for one in steps if one.value is None)
        yield f"write_verify: null  # not identified: {missing.reason}"
        return
    yield "write_verify:"
    yield "  model: incremental"
    for key, one in zip(_STEPS, steps, strict=True):
        yield f"  {key}: {_of(one, 0.0)}"


def _line(one: Estimate, unit: str) -> Iterator[str]:
    key = one.key.rpartition(".")[2]
    if one.value is None:
        yield f"{key}: null  # not identified: {one.reason}"
    else:
        yield f"{key}: {_of(one, 0.0, unit)}"


def _of(one: Estimate, least: float | None, unit: str = "1") -> str:
    if one.value is None:  # pragma: no cover - asked before
        raise AssertionError(one.key)
    ends: dict[str, Any] = {}
    if one.low is not None and one.high is not None:
        low = one.low if least is None else max(one.low, least)
        ends = {"range": f"[{_short(low)}, {_short(one.high)}]"}
    return _quantity(one.value, unit, **ends)


def _quantity(value: float, unit: str, **more: str) -> str:
    shown = {"value": _short(value), "unit": json.dumps(unit), "source": _SOURCE, **more}
    return "{" + ", ".join(f"{key}: {text}" for key, text in shown.items()) + "}"


def _short(value: float) -> str:
    """Return a number of six digits, in a form that YAML reads as one."""
    if value == 0:
        return "0.0"
    rounded = round(value, 5 - floor(log10(abs(value))))
    text = repr(float(rounded))
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
        text = f"{mantissa}e{int(exponent):+d}"
    return text
