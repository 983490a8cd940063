"""How the energy of a macro goes with cell resistance, rows read and supply: Ohm's law, shown."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import DEFAULT_CONSTANTS, load_constants
from archsim.config.load import Override
from archsim.config.macro import load_macro
from archsim.cost.silicon.node import node_factors
from archsim.cost.silicon.price import price_macro
from archsim.results.macro_curves import MacroCurve, MacroCurves
from archsim.units import from_si

#: Points of a curve; cell resistances and supplies that it goes through.
_POINTS = 60
_RESISTANCE_OHM = (2e3, 1e6)
_SUPPLY_V = (0.5, 1.3)


def macro_curves(
    name: str, *, overrides: Iterable[Override] = (), constants: str | None = None
) -> MacroCurves:
    """Price a macro over cell resistance, rows read at once and supply.

    Args:
        name: preset of ``configs/macro`` or YAML path.
        overrides: settings.
        constants: preset of ``configs/silicon``; None for the shipped ones.

    Raises:
        ConfigError: as :func:`archsim.api.macro.macro`.
    """
    file = load_macro(name, overrides)
    known = load_constants(constants or DEFAULT_CONSTANTS)
    base = MacroBatch.from_config(file.macro)

    def energy_pJ(batch: MacroBatch) -> tuple[tuple[float, ...], tuple[float, ...]]:
        energy = price_macro(macro=batch, constants=known).energy
        total, current = torch.broadcast_tensors(energy.total_J, energy.dc_J)
        scale = from_si(1.0, "pJ")
        return tuple((total * scale).tolist()), tuple((current * scale).tolist())

    curves = []
    if file.macro.memory not in ("sram", "edram") and file.macro.sensing == "current":
        low, high = (torch.tensor(end, dtype=torch.float64).log() for end in _RESISTANCE_OHM)
        ohm = torch.exp(torch.linspace(float(low), float(high), _POINTS, dtype=torch.float64))
        cost = price_macro(macro=base, constants=known)
        seconds = cost.latency_s if file.macro.sense_time_ns is None else base.sense_time_s
        volts = node_factors(macro=base, constants=known).supply_V
        supply = torch.where(base.cell_supply_V.isnan(), volts, base.cell_supply_V.nan_to_num())
        over = base.replace(cell_current_A=supply / ohm, sense_time_s=seconds)
        curves.append(
            MacroCurve("cell resistance, ohm", tuple(ohm.tolist()), *energy_pJ(over), is_log=True)
        )
    rows = torch.linspace(1, file.macro.rows, _POINTS, dtype=torch.float64)
    by_rows = energy_pJ(base.replace(rows_read=rows, dot_product_length=rows))
    curves.append(MacroCurve("rows read at once", tuple(rows.tolist()), *by_rows))
    volt = torch.linspace(*_SUPPLY_V, _POINTS, dtype=torch.float64)
    curves.append(
        MacroCurve("supply, V", tuple(volt.tolist()), *energy_pJ(base.replace(vdd_V=volt)))
    )
    return MacroCurves(file.name, tuple(curves))
