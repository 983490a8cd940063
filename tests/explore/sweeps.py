"""Small sweeps of LeNet-3 for tests."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner, Result

from archsim.cli.app import app
from archsim.config.checked import validate_model
from archsim.config.sweep import Sweep
from archsim.explore.space.points import Space

#: Six parameters of every sort: a file, a name, a placement, choices, numbers, a condition.
MIXED: dict[str, Any] = {
    "technology": ["22nm-lstp", "45nm-lstp"],
    "design": ["none", "common", "separate"],
    "device": ["rram", "pcm"],
    "chip.adc.kind": ["flash-current", "sar"],
    "chip.hierarchy.duplication": ["none", "fill"],
    "chip.crossbar.rows": [64, 128],
    "chip.adc.bits": {"from": 4, "to": 6, "step": 1},
    "tsb.channels": {"values": [16, 4], "when": "design != none"},
    "tsb.copies": {"values": [1, 2], "when": "design == common"},
}


#: Axes and keys of sweeps that between them have everything that a sweep may have.
SPACES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mixed": (MIXED, {}),
    "networks": (
        {
            "network": ["lenet3", "vgg8"],
            "design": ["none", "common", "separate"],
            "tsb": ["paper", "paper-lenet3"],
            "chip.hierarchy.duplication": ["none", "balance"],
            "chip.precision.bits_per_cell": [1, 2, 4],
        },
        {"set": ["chip.adc.kind=sar"]},
    ),
    "devices": (
        {
            "chip": ["rram-22nm-neurosim", "neurosim-v1.4"],
            "device": ["sram", "rram", "stt-mram", "pcm", "fefet2"],
            "chip.programming.policy": ["none", "tsb", "all"],
            "chip.precision.bits_per_cell": [1, 2],
            "device.sigma": {"values": [0.05, 0.2], "when": "device == rram"},
        },
        {"design": "common"},
    ),
    "too small": (
        {
            "chip.off_chip.when_full": ["refuse", "reload", "multi-chip"],
            "chip.hierarchy.max_tiles": [1, 3, 1000],
            "chip.crossbar.rows": [32, 128],
            "chip.crossbar.cols": {"same_as": "chip.crossbar.rows"},
            "chip.crossbar.mux_ratio": {"from": 4, "to": 16, "factor": 2},
        },
        {},
    ),
    "numbers": (
        {
            "device.r_on": {"from": 20, "to": 200, "points": 5, "scale": "log"},
            "device.r_off": [1700, 3000.5],
            "device.sigma": [0, 0.1, 1e-7],
            "chip.calibration.adc_energy": [0.5, 1.0],
            "chip.timing.pipeline": [True, False],
            "chip.programming.policy": ["none", "all"],
        },
        {},
    ),
}


def run_cli(*arguments: object) -> Result:
    """Run `archsim ARGUMENTS` inside this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def sweep_of(axes: dict[str, Any], **keys: Any) -> Sweep:
    """A sweep of LeNet-3, checked as files are."""
    document = {"name": "test", "network": "lenet3", "chip": "rram-22nm-neurosim", **keys}
    return validate_model(Sweep, {**document, "axes": axes}, "sweep")


def space_of(axes: dict[str, Any], **keys: Any) -> Space:
    return Space(sweep_of(axes, **keys))


def small_sweep(**keys: Any) -> Sweep:
    """72 combinations, 60 points, 12 parts of up to 6."""
    axes = {name: MIXED[name] for name in ("design", "device", "chip.crossbar.rows")}
    axes |= {name: MIXED[name] for name in ("chip.adc.bits", "tsb.channels")}
    return sweep_of(axes, **{"part_points": 6, **keys})
