"""Hardware cost of a batch of designs, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.plan import Constraint


@dataclass(frozen=True, eq=False)
class ProgrammingCost:
    """What it takes to write all weights once, ``*batch``; ``residual_sigma`` after verifying."""

    write_pulses: Tensor
    verify_reads: Tensor
    time_s: Tensor
    energy_J: Tensor
    cells: Tensor
    verified_cells: Tensor
    residual_sigma: Tensor


@dataclass(frozen=True, eq=False)
class CostBreakdown:
    """Hardware cost of a batch of designs; totals are ``*batch``, layers ``*batch layer``.

    ``latency_s`` is the time of one image through all layers, ``period_s`` the time between images
    (equal to the latency without a pipeline). ``leakages_W`` add up to ``leakage_power_W``. Of
    ``macs`` on crossbars ``network_macs`` are not those of a shared block. Component times add up
    to the latency and ``hidden_s``, what overlap hides of them. ``chips`` are those that the
    network is spread over.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    area_m2: Tensor
    dynamic_energy_J: Tensor
    leakage_power_W: Tensor
    leakages_W: dict[str, Tensor]
    leakage_energy_J: Tensor
    latency_s: Tensor
    period_s: Tensor
    clock_s: Tensor
    areas_m2: dict[str, Tensor]
    energies_J: dict[str, Tensor]
    times_s: dict[str, Tensor]
    hidden_s: Tensor
    layer_area_m2: Tensor
    layer_energy_J: Tensor
    layer_latency_s: Tensor
    layer_energies_J: dict[str, Tensor]
    layer_times_s: dict[str, Tensor]
    programming: ProgrammingCost
    macs: Tensor
    network_macs: Tensor
    chips: Tensor
    constraints: tuple[Constraint, ...]

    @property
    def energy_J(self) -> Tensor:
        """Dynamic and leakage energy of one image."""
        return self.dynamic_energy_J + self.leakage_energy_J

    @property
    def edp_Js(self) -> Tensor:
        """Energy-delay product with the latency of a single image."""
        return self.energy_J * self.latency_s

    @property
    def edp_period_Js(self) -> Tensor:
        """Energy-delay product with the pipeline period."""
        return self.energy_J * self.period_s

    @property
    def throughput_per_s(self) -> Tensor:
        """Images per second."""
        return 1 / self.period_s

    @property
    def ops_per_J(self) -> Tensor:
        """Operations of the network (two per multiply-accumulate) per joule; 1e12 is 1 TOPS/W.

        Those of a shared block are overhead: in the energy, not in the work.
        """
        return 2 * self.network_macs / self.energy_J

    @property
    def ops_per_m2_s(self) -> Tensor:
        """Operations of the network per second and area of all chips; 1e18 is 1 TOPS/mm2."""
        return 2 * self.network_macs / self.period_s / self.area_m2

    @property
    def average_power_W(self) -> Tensor:
        """Energy of an image over the time between images."""
        return self.energy_J / self.period_s

    @property
    def power_density_W_per_m2(self) -> Tensor:
        """Average power over the area of all chips."""
        return self.average_power_W / self.area_m2

    @property
    def feasible(self) -> Tensor:
        """True where no constraint of mapping or circuits is violated."""
        feasible = torch.ones_like(self.latency_s, dtype=torch.bool)
        for constraint in self.constraints:
            feasible = feasible & ~constraint.violated
        return feasible
