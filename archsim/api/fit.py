"""``archsim device fit``: a device file from measured cells."""

from __future__ import annotations

import re
from pathlib import Path

from archsim.config.resolve import resolve
from archsim.config.schema.level import fitting_bits
from archsim.device.fit import Fitted, device_text, fit_measurements
from archsim.errors import Code, ConfigError, DataError
from archsim.util.atomic_write import write_whole
from archsim.util.files import is_file

#: How a file that a fit wrote begins; another one is not written over.
_FIRST_WORDS = b"# Fit of "


def fit_device(
    measurements: str | Path,
    out: str | Path | None = None,
    *,
    name: str | None = None,
    like: str = "rram",
    quantiles: bool = False,
    temperature_K: float | None = None,
) -> Fitted:
    """Fit a device to measured cells, and write its file.

    Args:
        measurements: CSV: see ``docs/how-to/measured-device.md``.
        out: device file; None writes none.
        name: of the device; None takes that of the file.
        like: device preset or file for what is not measured: voltages, energies, times.
        quantiles: keep the shape of the errors of each level.
        temperature_K: takes rows within 2 K of it, K.

    Raises:
        ConfigError: an unknown preset, SRAM, or a number of the fit that no device may have.
        DataError: measurements that are none, or an ``out`` that holds something else.
    """
    target = None if out is None else Path(out)
    if target is not None:
        _check_target(target)
    base = resolve(device=like, overrides=["chip.precision.bits_per_cell=1"]).device
    if base.memory == "sram":
        raise ConfigError.of(
            Code.CONFLICT, "like", like, problem="SRAM cells have no levels", allowed="another one"
        )
    fitted = fit_measurements(measurements, temperature_K=temperature_K)
    if target is None:
        return fitted
    chosen = name or re.sub(r"[^A-Za-z0-9_-]+", "-", target.stem).strip("-") or "measured"
    text = device_text(fitted, name=chosen, like=like, quantiles=quantiles)
    before = target.read_bytes() if is_file(target) else None
    write_whole(target, text.encode())
    bits = fitting_bits(len(fitted.levels)).split(", ")[0]
    try:  # whoever names the file next should not be the first to find out
        resolve(device=str(target), overrides=[f"chip.precision.bits_per_cell={bits}"])
    except ConfigError:
        if before is None:
            target.unlink()
        else:
            write_whole(target, before)
        raise
    return fitted


def _check_target(target: Path) -> None:
    if target.suffix not in (".yaml", ".yml"):
        raise DataError.of(Code.WRONG_FORM, target, allowed="a name that ends in .yaml")
    if is_file(target):
        with target.open("rb") as file:
            ours = file.read(len(_FIRST_WORDS)) == _FIRST_WORDS
        if not ours:
            raise DataError.of(
                Code.IN_THE_WAY,
                target,
                problem="is there, and was not written by archsim device fit",
                allowed="another name",
            )
