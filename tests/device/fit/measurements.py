"""Measurements of cells whose laws are known, drawn with NumPy and nothing of archsim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Known:
    """A device: levels as shares of the range, lowest and highest target in uS."""

    means: Sequence[float] = (0.02, 0.3, 0.62, 0.97)
    sigmas: Sequence[float] = (0.02, 0.05, 0.06, 0.03)
    low_uS: float = 1.0
    high_uS: float = 21.0
    share: float = 0.4
    nu: float = 0.05
    nu_sigma: float = 0.01
    read_noise: float = 0.01
    stuck_on: float = 0.03
    stuck_off: float = 0.05
    times_s: Sequence[float] = (1, 10, 100, 1000)

    @property
    def targets_uS(self) -> np.ndarray:
        """Equal steps."""
        return np.linspace(self.low_uS, self.high_uS, len(self.means))

    def write(self, path: Path, *, devices: int, cycles: int, reads: int = 2, seed: int) -> Path:
        """Write a table of all levels of some cells, read at all times."""
        generator = np.random.default_rng(seed)
        count, span = len(self.means), self.high_uS - self.low_uS
        own = generator.standard_normal((devices, count, 1))
        new = generator.standard_normal((devices, count, cycles))
        shape = np.sqrt(self.share) * own + np.sqrt(1 - self.share) * new
        errors = np.asarray(self.sigmas)[:, None] * shape
        landed = np.asarray(self.means)[:, None] + errors
        drawn = generator.random(devices)
        landed[drawn < self.stuck_on] = 1.0
        landed[drawn > 1 - self.stuck_off] = 0.0
        exponent = self.nu + self.nu_sigma * generator.standard_normal(landed.shape)
        times = np.asarray(self.times_s, dtype=float)
        held = self.low_uS + span * landed[..., None]
        held = held * (times / times[0]) ** -exponent[..., None]
        noise = generator.standard_normal((*held.shape, reads))
        read = (held[..., None] + self.read_noise * span * noise).clip(0.0)
        lines = ["device,target_uS,cycle,time_s,measured_uS"]
        for place, value in np.ndenumerate(read):
            device, level, cycle, time, _ = place
            lines.append(
                f"d{device},{self.targets_uS[level]:.6g},{cycle},{times[time]:g},{value:.7g}"
            )
        path.write_text("\n".join(lines) + "\n")
        return path


def pulsed(
    path: Path, *, gain: float, step: float, tolerance: float, limit: int, seed: int
) -> Path:
    """Write a table of cells that are pulsed until they are within a tolerance."""
    generator = np.random.default_rng(seed)
    lines = ["device,target_nS,cycle,pulse,measured_nS"]
    for device in range(400):
        for level in range(4):
            error, pulse = 0.1 * generator.standard_normal(), 1
            while True:
                conductance = 1000 + 9000 * (level / 3 + error)
                lines.append(f"{device},{1000 + 3000 * level},0,{pulse},{max(conductance, 0):.6f}")
                if abs(error) <= tolerance or pulse == limit:
                    break
                error = (1 - gain) * error + step * generator.standard_normal()
                pulse += 1
    path.write_text("\n".join(lines) + "\n")
    return path
