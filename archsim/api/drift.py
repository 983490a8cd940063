"""Drift of a trained network's cells: what may be asked for, and what its compensation costs."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.api.map import map_resolved
from archsim.arch.design import DesignBatch
from archsim.config.resolve import Resolved
from archsim.config.schema.device import DeviceFile
from archsim.cost.reference_read import reference_read
from archsim.device.read_noise import REFERENCE_S
from archsim.errors import Code, ConfigError
from archsim.results.network_accuracy import CompensationPrice
from archsim.units import from_si
from archsim.util.checks import number
from tsb.cells.programmable import Programmable
from tsb.program.chip_read import Conditions, Drift
from tsb.program.compensation.registry import REGISTRY, compensation_named

_COMPENSATION = "compensation (--compensation)"
_CALIBRATED = "calibrated_after_s (--calibrated-after)"


def check_drift(
    read_after_s: float | None,
    compensation: str,
    calibrated_after_s: float | None,
    *,
    repairs: bool,
) -> None:
    """Check what goes together, before anything is read.

    Args:
        read_after_s: time from programming to the reads, s.
        compensation: name, or ``none``.
        calibrated_after_s: when compensation and repairs are measured, s.
        repairs: whether there are some.

    Raises:
        ConfigError: a wrong number or name, or a setting without what it acts on.
    """
    chosen = compensation_named(compensation, field=_COMPENSATION)
    if read_after_s is not None:
        number("read_after_s (--read-after)", read_after_s, 0.0)
    if chosen is not None and not read_after_s:
        raise ConfigError.of(
            Code.CONFLICT,
            _COMPENSATION,
            compensation,
            problem="nothing has drifted right after programming",
            allowed="with --read-after above 0",
        )
    if calibrated_after_s is None:
        return
    number(_CALIBRATED, calibrated_after_s, 0.0)
    if not read_after_s or not (chosen or repairs) or calibrated_after_s > read_after_s:
        raise ConfigError.of(
            Code.CONFLICT,
            _CALIBRATED,
            calibrated_after_s,
            problem="it is when a compensation or a repair is measured, before cells are read",
            allowed="0 to --read-after, with --compensation or --repair",
            form="g",
        )


def conditions_of(
    device: DeviceFile,
    read_after_s: float | None,
    read_noise: bool,
    compensation: str,
    calibrated_after_s: float | None,
) -> Conditions:
    """Return when and how cells are read.

    Args:
        device: of the chip.
        read_after_s: time from programming to the reads, s; None or 0: at once.
        read_noise: whether they are read with noise.
        compensation: name, or ``none``.
        calibrated_after_s: when it is measured, s; None: when cells are read.

    Raises:
        ConfigError: drift or read noise of a device that has none.
    """
    if read_noise and not device.of_range(device.read_noise_sigma):
        raise ConfigError.of(
            Code.CONFLICT,
            "read_noise (--read-noise)",
            True,
            problem=f"device '{device.name}' has no read noise (read_noise_sigma = 0)",
            allowed="a device that has some, such as pcm",
        )
    if not read_after_s:
        return Conditions(noisy=read_noise)
    drift = Drift.of_device(
        device,
        read_after_s,
        compensation=compensation_named(compensation),
        measured_s=calibrated_after_s,
    )
    return Conditions(drift=drift, noisy=read_noise, time_s=max(read_after_s, REFERENCE_S))


def compensation_price(
    name: str, network: Programmable, resolved: Resolved
) -> tuple[CompensationPrice | None, str]:
    """Return what a compensation takes on a chip, and why that is not known.

    Args:
        name: of the compensation, or ``none``.
        network: that is compensated.
        resolved: the chip.
    """
    if name not in REGISTRY:
        return None, ""
    if network.graph is None:
        return None, network.untraced
    graph, chip = network.graph, resolved.chip
    kind = REGISTRY[name].correction
    if chip.correction.kind in ("bias", "scale-and-bias"):
        kind = "scale-and-bias"
    without = map_resolved(graph, resolved, "none")
    correction = chip.correction.model_copy(update={"kind": kind, "layers": "all"})
    own = resolved.model_copy(update={"chip": chip.model_copy(update={"correction": correction})})
    scaled = map_resolved(graph, own, "none")
    design = DesignBatch.from_resolved(without.resolved, without.design)
    read = reference_read(design=design, plan=without.plan)
    more = {
        key: float(getattr(scaled.cost, key) - getattr(without.cost, key))
        for key in ("dynamic_energy_J", "latency_s", "area_m2")
    }
    layers = without.plan.layers
    products = layers.over_layers(layers.weights_wide * layers.vectors * layers.active)
    return CompensationPrice(
        reference_energy_nJ=from_si(float(read.energy_J), "nJ"),
        reference_time_us=from_si(float(read.time_s), "us"),
        products=float(products),
        energy_nJ=from_si(more["dynamic_energy_J"], "nJ"),
        latency_us=from_si(more["latency_s"], "us"),
        area_mm2=from_si(more["area_m2"], "mm2"),
    ), ""


def drift_notes(
    device: DeviceFile, read_after_s: float | None, compensation: str, unpriced: str
) -> Iterator[str]:
    """Say what the numbers of drift leave out.

    Args:
        device: of the chip.
        read_after_s: time from programming to the reads, s.
        compensation: name, or ``none``.
        unpriced: why it has no price, "" where it has one.
    """
    kept = device.retention_time
    if kept is not None and (read_after_s or 0) > kept.si:
        yield (
            f"{read_after_s:g} s is beyond the device's retention time of {kept.si:g} s, after "
            "which levels are lost: not modelled."
        )
    if unpriced:
        yield f"The compensation has no price: {unpriced}"
    elif compensation in REGISTRY:
        yield (
            "Reference reads take their energy and time at every calibration, not for every image; "
            "the division that gives a factor is not priced."
        )
