"""What one write pulse takes, by the device's ``write_law``: energy, time and power of a cell.

A pulse is a SET or a RESET: ``reset_share`` of all pulses are RESETs, and a row takes pulses of one
kind at a time. The formulas use operators only, so that programming (plain numbers), the cost
engine (tensors) and the rules of both count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

#: Values of ``device.write_law``.
WriteLawName = Literal["constant", "joule", "capacitive"]
WRITE_LAWS: tuple[str, ...] = get_args(WriteLawName)
#: Shortest pulse that power is taken of, s.
_SHORTEST_s = 1e-15


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """One kind of pulse on one cell, numbers or batches of them, SI.

    Attributes:
        voltage_V: of the drivers.
        current_A: through the cell.
        width_s: without set-up.
        capacitance_F: that is charged to the voltage.
        energy_J: that the device file gives.
    """

    voltage_V: Any
    current_A: Any
    width_s: Any
    capacitance_F: Any
    energy_J: Any


@dataclass(frozen=True, kw_only=True)
class WriteLaw:
    """One of them.

    Attributes:
        name: value of ``device.write_law``.
        description: in a few words.
        needs: keys of the device without which it has no energy.
        refuses: keys of the device that it does not read.
        energy_J: of a pulse on one cell.
    """

    name: WriteLawName
    description: str
    needs: tuple[str, ...]
    refuses: tuple[str, ...]
    energy_J: Callable[[Pulse], Any]


CONSTANT = WriteLaw(
    name="constant",
    description="write_energy for every pulse, whatever its voltage and width",
    needs=("write_energy",),
    refuses=("write_current", "v_reset", "reset_current", "write_capacitance"),
    energy_J=lambda pulse: pulse.energy_J,
)
JOULE = WriteLaw(
    name="joule",
    description="voltage x current x width, the current as given or voltage / r_on",
    needs=("v_write",),
    refuses=("write_energy", "write_capacitance"),
    energy_J=lambda pulse: pulse.voltage_V * pulse.current_A * pulse.width_s,
)
CAPACITIVE = WriteLaw(
    name="capacitive",
    description="write_capacitance x voltage^2: a gate and its line, without a current",
    needs=("v_write", "write_capacitance"),
    refuses=("write_energy", "write_current", "reset_current"),
    energy_J=lambda pulse: pulse.capacitance_F * pulse.voltage_V * pulse.voltage_V,
)
#: All of them, in the order of :data:`WRITE_LAWS`.
LAWS = (CONSTANT, JOULE, CAPACITIVE)

#: Keys of the device that a pulse is of, beside ``write_law``; null counts as 0 in each.
PULSE_KEYS = (
    "r_on", "v_write", "write_current", "pulse_width", "v_reset", "reset_current", "reset_width",
    "reset_share", "write_setup_time", "write_capacitance", "write_energy",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CellPulse:
    """A pulse on one cell: the mean of SET and RESET by their shares, and the power of either.

    Attributes:
        energy_J: mean.
        time_s: mean, with the set-up before it.
        power_W: of the kind that takes more.
    """

    energy_J: Any
    time_s: Any
    power_W: Any


def cell_pulse(keys: Mapping[str, Any], energy_J: Callable[[Pulse], Any]) -> CellPulse:
    """Return what a pulse takes, by operators only.

    Args:
        keys: :data:`PULSE_KEYS`, SI, 0 for null.
        energy_J: of one kind of pulse, by the device's law.
    """
    set_V, set_s, share = keys["v_write"], keys["pulse_width"], keys["reset_share"]
    reset_V, reset_s = _first(keys["v_reset"], set_V), _first(keys["reset_width"], set_s)
    r_on_ohm = _first(keys["r_on"], 1.0)
    same = {"capacitance_F": keys["write_capacitance"], "energy_J": keys["write_energy"]}
    set_A = _first(keys["write_current"], set_V / r_on_ohm)
    reset_A = _first(keys["reset_current"], reset_V / r_on_ohm)
    set_J = energy_J(Pulse(voltage_V=set_V, current_A=set_A, width_s=set_s, **same))
    reset_J = energy_J(Pulse(voltage_V=reset_V, current_A=reset_A, width_s=reset_s, **same))
    return CellPulse(
        energy_J=(1 - share) * set_J + share * reset_J,
        time_s=(1 - share) * set_s + share * reset_s + keys["write_setup_time"],
        power_W=_larger(
            set_J / _larger(set_s, _SHORTEST_s), reset_J / _larger(reset_s, _SHORTEST_s)
        ),
    )


def by_law(is_law: Callable[[str], Any], pulse: Pulse) -> Any:
    """Return the energy of a pulse by the law that holds, by operators only.

    Args:
        is_law: says where a law holds, by its name.
        pulse: of one kind.
    """
    return sum(is_law(law.name) * law.energy_J(pulse) for law in LAWS)


def _first(one: Any, other: Any) -> Any:
    """The first of two values that is not 0."""
    return one + (one == 0) * other


def _larger(one: Any, other: Any) -> Any:
    return (one >= other) * one + (one < other) * other
