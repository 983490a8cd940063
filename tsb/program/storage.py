"""How weights are put on cells, and what the cells hold once they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from archsim.config.choices import SCALINGS
from archsim.errors import Code, ConfigError, close_matches
from archsim.util.checks import one_of
from tsb.cells.quantize import full_scale, quantise
from tsb.cells.weight_cells import (
    CellModel,
    defective_instance,
    gaussian_instance,
    mean_weights,
    noise_std,
    weight_cells,
)
from tsb.write_verify.selective import Masks, verify_none

#: Tells the seed of the defects from that of the spread.
_DEFECTS = 0x5EED


@dataclass(frozen=True, kw_only=True)
class WeightStorage:
    """How weights are put on cells.

    Attributes:
        cell: device, and how weights are cut into cells.
        scaling: what shares a full-scale conductance: see :func:`tsb.cells.quantize.weight_range`.
        copies: cells per cell, by weight name: the outputs of duplicated crossbars are averaged,
            which divides the variance of independent errors by the number of copies. 1 elsewhere.
    """

    cell: CellModel
    scaling: str = "tensor"
    copies: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: an unknown scaling, or fewer than one copy.
        """
        one_of("scaling", self.scaling, SCALINGS)
        for name, count in self.copies.items():
            if count < 1:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, f"copies of '{name}'", count, allowed="1 or more"
                )

    def targets(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the cells are asked for: codes relative to their full scale, -1 to 1.

        Args:
            weights: by name.
        """
        bits = self.cell.weight_format.magnitude_bits
        return {
            name: quantise(weight, bits, self.scaling) / full_scale(weight, self.scaling)
            for name, weight in weights.items()
        }

    def std(
        self, targets: Mapping[str, Tensor], verified: Masks, *, centred: bool = False
    ) -> dict[str, Tensor]:
        """Return the standard deviation of each target, relative to its full scale.

        Args:
            targets: from :meth:`targets`.
            verified: masks by name; the others get one pulse.
            centred: about what cells hold on average, in place of the targets.
        """
        std = noise_std(weight_cells(targets, self.cell), verified, centred=centred)
        return {
            name: deviation / self.copies.get(name, 1) ** 0.5 for name, deviation in std.items()
        }

    def std_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the standard deviation of each weight after one pulse, in units of the weight.

        Args:
            weights: by name.
        """
        targets = self.targets(weights)
        return {
            name: deviation * full_scale(weights[name], self.scaling)
            for name, deviation in self.std(targets, verify_none(targets)).items()
        }

    def write(
        self, weights: Mapping[str, Tensor], verified: Masks, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Program weights and read them back: one normal number per weight, in order of the names.

        Stuck cells are drawn one by one, from a seed that the generator had at first.

        Args:
            weights: what is wanted, by name.
            verified: masks by name.
            generator: source of all randomness, on the CPU.

        Raises:
            ConfigError: copies of a weight that is not there.
        """
        return self.writer(weights, verified)(generator)

    def writer(
        self, weights: Mapping[str, Tensor], verified: Masks
    ) -> Callable[[torch.Generator], dict[str, Tensor]]:
        """Return what does as :meth:`write`, again and again: what repeats is computed once.

        Args:
            weights: what is wanted, by name.
            verified: masks by name.

        Raises:
            ConfigError: copies of a weight that is not there.
        """
        for name in self.copies:
            if name not in weights:
                raise ConfigError(
                    f"copies of '{name}': there is no such weight.{close_matches(name, weights)}",
                    code=Code.UNKNOWN_NAME,
                    field="copies",
                    value=name,
                    allowed=tuple(weights),
                )
        targets = self.targets(weights)
        scale = {name: full_scale(weight, self.scaling) for name, weight in weights.items()}
        defects = self.has_defects
        means, std = ({}, {}) if defects else self._spread(targets, verified)

        def write(generator: torch.Generator) -> dict[str, Tensor]:
            if defects:
                stored = self._with_defects(targets, verified, generator, _defects_of(generator))
            else:
                stored = gaussian_instance(means, std, generator)
            return {name: fraction * scale[name] for name, fraction in stored.items()}

        return write

    def stream(
        self, weights: Mapping[str, Tensor], verified: Masks, generator: torch.Generator
    ) -> Iterator[tuple[str, Tensor]]:
        """Do as :meth:`write`, one tensor after the other: the cells of one are held at a time.

        Args:
            weights: what is wanted, by name.
            verified: masks by name.
            generator: source of all randomness, on the CPU.
        """
        defects = _defects_of(generator)
        for name, weight in weights.items():
            target, mask = self.targets({name: weight}), {name: verified[name]}
            if self.has_defects:
                stored = self._with_defects(target, mask, generator, defects)
            else:
                stored = gaussian_instance(*self._spread(target, mask), generator)
            yield name, stored[name] * full_scale(weight, self.scaling)

    def _spread(
        self, targets: Mapping[str, Tensor], verified: Masks
    ) -> tuple[Mapping[str, Tensor], dict[str, Tensor]]:
        """Return what cells hold on average, and the standard deviation about that."""
        std = self.std(targets, verified, centred=True)
        if self.cell.table is None:
            return targets, std
        return mean_weights(targets, weight_cells(targets, self.cell), verified), std

    @property
    def has_defects(self) -> bool:
        """Whether cells may be stuck."""
        return bool(self.cell.stuck_on_rate or self.cell.stuck_off_rate)

    def _with_defects(
        self,
        targets: Mapping[str, Tensor],
        verified: Masks,
        generator: torch.Generator,
        defects: torch.Generator,
    ) -> dict[str, Tensor]:
        """Average the copies of each target; every copy has defects of its own."""
        stored: dict[str, Tensor] = {}
        for name, target in targets.items():
            count = self.copies.get(name, 1)
            draws = [
                defective_instance(
                    {name: target}, self.cell, {name: verified[name]}, generator, defects
                )[name]
                for _ in range(count)
            ]
            stored[name] = torch.stack(draws).mean(0)
        return stored


def _defects_of(generator: torch.Generator) -> torch.Generator:
    """Return the source of stuck cells that belongs to one of spreads, before it is used."""
    return torch.Generator().manual_seed(generator.initial_seed() ^ _DEFECTS)
