"""What inference sees of a programmed chip: its cells some time later, read anew in every run.

A chip holds one number per weight, while every cell drifts with an exponent of its own. So the
known error of a weight is divided among its cells by the distribution that cells have given their
sum (normal errors: the draw of each cell, plus its share of what the sum still lacks), and then
every cell drifts. That is the joint distribution of a chip that is programmed cell by cell and read
twice, right after programming and later; only with stuck cells, of which a chip does not remember
the places, the division is that of normal errors with the same mean square. A read adds one normal
number to each weight, exactly.

Reads are not compensated for drift: no output is rescaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.config.schema.device import DeviceFile
from archsim.config.sourced import Quantity
from archsim.device import code_noise_std, drift_cells, mean_drift_factor
from archsim.device.read_noise import REFERENCE_S
from archsim.errors import Code, ConfigError
from tsb.cells.cell_model import cell_distributions
from tsb.cells.quantize import full_scale, weight_range
from tsb.cells.read_out import drifts
from tsb.cells.weight_cells import cell_values, weight_cells
from tsb.program.storage import WeightStorage
from tsb.write_verify.selective import Masks

#: Weights whose cells are drawn at once, which bounds memory on large layers.
_WEIGHTS_AT_ONCE = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How cells drift, and for how long.

    Attributes:
        time_s: time since programming, s.
        start_s: time of the first read, s; until then nothing drifts.
        nu: mean exponent.
        nu_sigma: its standard deviation between cells.
        off: conductance of the lowest level, relative to the range g_on - g_off.
    """

    time_s: float
    start_s: float
    nu: float
    nu_sigma: float
    off: float

    @classmethod
    def of_device(cls, device: DeviceFile, time_s: int | float) -> Drift:
        """Take the constants of a device.

        Args:
            device: a file of ``configs/device``.
            time_s: time since programming, s.

        Raises:
            ConfigError: the device does not drift, or not yet, or does not say from where.
        """
        if not drifts(device):
            raise ConfigError(
                f"read_after_s = {time_s:g}: device '{device.name}' does not drift "
                "(drift_nu = 0); allowed: 0, or a device that drifts, such as pcm",
                code=Code.CONFLICT,
                field="read_after_s",
                value=time_s,
                allowed="0",
            )
        known = {key: _si(getattr(device, key)) for key in ("drift_start", "r_on", "r_off")}
        lacks = [key for key, value in known.items() if not value]
        if lacks:
            raise ConfigError(
                f"device '{device.name}' drifts (drift_nu), which needs {' and '.join(lacks)}: "
                "allowed: above 0",
                code=Code.MISSING_KEY,
                field="device",
                value=lacks,
                allowed="above 0",
            )
        if not known["drift_start"] < time_s < float("inf"):
            raise ConfigError(
                f"read_after_s = {time_s:g}; device '{device.name}' drifts after "
                f"{known['drift_start']:g} s (drift_start): allowed: 0 (no drift), or above that",
                code=Code.OUT_OF_RANGE,
                field="read_after_s",
                value=time_s,
                allowed="0 (no drift), or above that",
            )
        return cls(
            time_s=float(time_s),
            start_s=known["drift_start"],
            nu=_si(device.drift_nu),
            nu_sigma=_si(device.drift_nu_sigma),
            # g_off / (g_on - g_off) with g = 1 / r
            off=known["r_on"] / (known["r_off"] - known["r_on"]),
        )

    def later(
        self,
        stored: Mapping[str, Tensor],
        wanted: Mapping[str, Tensor],
        verified: Masks,
        storage: WeightStorage,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Return weights after the drift.

        The same seed gives the same exponents, whatever the errors and the masks.

        Args:
            stored: weights as the cells hold them after programming, by name.
            wanted: what they were asked for; the same names.
            verified: masks of the write-verified ones.
            storage: how they lie on cells.
            generator: source of all randomness, on the CPU.
        """
        drifted = {}
        for name, target in storage.targets(wanted).items():
            cells = CellsOfTensor.of(target, verified[name], storage, storage.copies.get(name, 1))
            held, full = stored[name].double(), full_scale(wanted[name], storage.scaling)
            codes = held / full / cells.step  # with their errors
            change = cells.change(codes.flatten(), self, generator).view(target.shape)
            # Without a range there is nothing to drift.
            step = weight_range(wanted[name], storage.scaling) * cells.step
            drifted[name] = (held + step * change).to(stored[name].dtype)
        return drifted


@dataclass(frozen=True, eq=False)
class CellsOfTensor:
    """The cells of one tensor, all in units of the range g_on - g_off.

    Attributes:
        codes: of the weights, ``weight``.
        levels: that the cells were asked for, ``weight cell``.
        squares: mean squared errors about their mean, ``weight cell``.
        biases: mean errors of cells that work, ``weight cell``.
        values: what the range of each cell is worth, in steps of the weight's code.
        signs: of each weight, where cells do not know it; else 1.
        copies: of every cell; their outputs are averaged.
        step: of the code, relative to full scale.
    """

    codes: Tensor
    levels: Tensor
    squares: Tensor
    biases: Tensor
    values: Tensor
    signs: Tensor
    copies: int
    step: float

    @classmethod
    def of(cls, target: Tensor, mask: Tensor, storage: WeightStorage, copies: int) -> CellsOfTensor:
        """Return the cells that were asked for a target, of which a mask says what was verified."""
        cell = storage.cell
        cells = weight_cells({"w": target}, cell)["w"]
        distributions, verified = cell_distributions(cell), cells.verified_cells(mask)
        biases = distributions.biases(verified, cells.classes)
        squares = (distributions.squares(verified, cells.classes) - biases**2).clamp_min(0.0)
        step = 1 / cell.weight_format.largest_code
        codes = cell.weight_format.codes_of(target, step).flatten()
        negative = (codes < 0) & (cell.encoding == "magnitude")
        values, top = cell_values(cell), cell.levels - 1
        return cls(
            codes=codes.double(),
            levels=(cells.classes % cell.levels).view(-1, len(values)).double() / top,
            squares=squares.view(-1, len(values)),
            biases=biases.view(-1, len(values)),
            values=values,
            signs=torch.where(negative, -1.0, 1.0).double(),
            copies=copies,
            step=step,
        )

    def change(self, held: Tensor, drift: Drift, generator: torch.Generator) -> Tensor:
        """Return what drift does to weights, in steps of their codes, as ``held`` is."""
        errors = held - self.codes
        parts = torch.arange(len(errors)).split(_WEIGHTS_AT_ONCE)
        return torch.cat([self._change(errors, part, drift, generator) for part in parts])

    def errors(self, held: Tensor, generator: torch.Generator) -> Tensor:
        """Return errors of cells that add up to those of weights, ``weight cell``, without copies.

        Args:
            held: weights as the cells hold them, in steps of their codes, ``weight``.
            generator: source of all randomness, on the CPU.
        """
        errors = self.signs * (held - self.codes)
        parts = torch.arange(len(errors)).split(_WEIGHTS_AT_ONCE)
        drawn = [
            self._cell_errors(
                errors[part],
                self.squares[part].unsqueeze(1),
                self.biases[part].unsqueeze(1),
                self.values,
                generator,
            )
            for part in parts
        ]
        return torch.cat(drawn).squeeze(1)

    def _change(
        self, errors: Tensor, part: Tensor, drift: Drift, generator: torch.Generator
    ) -> Tensor:
        values = self.values / self.copies
        squares = self.squares[part].unsqueeze(1).expand(-1, self.copies, -1)
        biases = self.biases[part].unsqueeze(1).expand(-1, self.copies, -1)
        own = (self.signs * errors)[part]
        cell_errors = self._cell_errors(own, squares, biases, values, generator)
        landed = self.levels[part].unsqueeze(1) + cell_errors + drift.off
        later = drift_cells(
            conductance=landed,
            time_s=drift.time_s,
            start_s=drift.start_s,
            drift_nu=drift.nu,
            drift_nu_sigma=drift.nu_sigma,
            generator=generator,
        )
        return self.signs[part] * ((later - landed) * values).sum((1, 2))

    def _cell_errors(
        self,
        errors: Tensor,
        squares: Tensor,
        biases: Tensor,
        values: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Draw errors of cells, ``weight copy cell``, that add up to those of the weights."""
        normal = torch.randn(squares.shape, generator=generator, dtype=torch.float64)
        drawn = biases + squares.sqrt() * normal
        lacking = errors - (values * drawn).sum((1, 2))
        shares = values * squares
        whole = (values * shares).sum((1, 2))
        per_step = torch.where(whole > 0, lacking / whole, 0.0)
        return drawn + shares * per_step.view(-1, 1, 1)


def read_noise(
    wanted: Mapping[str, Tensor],
    storage: WeightStorage,
    generator: torch.Generator,
    time_s: float = REFERENCE_S,
) -> dict[str, Tensor]:
    """Return the errors of one read of weights, by name; those of a tensor of zeros are 0.

    Args:
        wanted: weights that the cells were asked for.
        storage: how they lie on cells; says the read noise of a cell.
        generator: source of all randomness, on the CPU.
        time_s: since programming, s; acts where the device has a ``read_noise_law``.
    """
    cell, read_errors = storage.cell, {}
    form = cell.weight_format
    steps = float(
        code_noise_std(
            sigma=cell.read_noise_sigma,
            weight_bits=cell.weight_bits,
            bits_per_cell=cell.bits_per_cell,
            differential=form.sides > 1,
        )
    )
    for name, weight in wanted.items():
        step = weight_range(weight, storage.scaling) / form.largest_code
        normal = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        own: float | Tensor = steps
        if cell.read_noise_law is not None:
            target = storage.targets({name: weight})[name]
            codes = form.codes_of(target, 1 / form.largest_code)
            own = cell.read_noise_law.of_codes(codes, form, time_s).to(weight.dtype)
        read_errors[name] = own / storage.copies.get(name, 1) ** 0.5 * step * normal
    return read_errors


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """When and how the cells behind an accuracy are read.

    Attributes:
        drift: since they were written; None for right after that.
        noisy: whether every run reads them with the device's read noise, drawn once per run.
        time_s: since they were written, s, for noise that grows with it.
    """

    drift: Drift | None = None
    noisy: bool = False
    time_s: float = REFERENCE_S

    @property
    def ideal(self) -> bool:
        """Whether cells are read as they were written."""
        return self.drift is None and not self.noisy

    def later(
        self,
        stored: Mapping[str, Tensor],
        wanted: Mapping[str, Tensor],
        verified: Masks,
        storage: WeightStorage,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Return weights after the drift: see :meth:`Drift.later`."""
        if self.drift is None:
            return dict(stored)
        return self.drift.later(stored, wanted, verified, storage, generator)

    def read(
        self,
        held: Mapping[str, Tensor],
        wanted: Mapping[str, Tensor],
        storage: WeightStorage,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Return weights as one run reads them: see :func:`read_noise`."""
        if not self.noisy:
            return dict(held)
        noise = read_noise(wanted, storage, generator, self.time_s)
        share = self._drifted_share(storage)
        return {name: weight + share * noise[name] for name, weight in held.items()}

    def _drifted_share(self, storage: WeightStorage) -> float:
        """Share of their conductance that cells have left, for noise that goes with it."""
        if self.drift is None or storage.cell.read_noise_law is None:
            return 1.0
        drift = self.drift
        return float(
            mean_drift_factor(
                time_s=drift.time_s,
                start_s=drift.start_s,
                drift_nu=drift.nu,
                drift_nu_sigma=drift.nu_sigma,
            )
        )


def _si(quantity: Quantity | None) -> float:
    """Return the SI value; 0 for what a device does not have."""
    return 0.0 if quantity is None else quantity.si
