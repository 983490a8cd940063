"""What inference sees of a programmed chip: its cells some time later, read anew in every run.

A chip holds one number per weight, while every cell drifts with an exponent of its own. So the
known error of a weight is divided among its cells by the distribution that cells have given their
sum (normal errors: the draw of each cell, plus its share of what the sum still lacks), and then
every cell drifts. That is the joint distribution of a chip that is programmed cell by cell and read
twice, right after programming and later; only with stuck cells, of which a chip does not remember
the places, the division is that of normal errors with the same mean square. A read adds one normal
number to each weight, exactly.

Outputs are rescaled only where a compensation says so (:mod:`tsb.program.compensation`): its
factors come from the sums of the same cells, right after programming and when they are measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.config.schema.device import DeviceFile
from archsim.config.sourced import Quantity
from archsim.device import code_noise_std, mean_drift_factor
from archsim.device.read_noise import REFERENCE_S
from archsim.errors import Code, ConfigError
from tsb.cells.quantize import full_scale, weight_range
from tsb.cells.read_out import drifts
from tsb.cells.weight_cells import CellModel
from tsb.program.compensation.base import Compensation
from tsb.program.storage import WeightStorage
from tsb.program.tensor_cells import CellsOfTensor, ReferenceReads
from tsb.write_verify.selective import Masks

#: Tell the seeds of exponents and of reads from that of the programming errors, and the seed of
#: reference reads from that of the exponents.
DRIFT_SEED, READ_SEED, _REFERENCE_SEED = 0xD21F7, 0x4EAD5, 0x2EF5


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How cells drift, and for how long.

    Attributes:
        time_s: time since programming, s.
        start_s: time of the first read, s; until then nothing drifts.
        nu: mean exponent.
        nu_sigma: its standard deviation between cells.
        off: conductance of the lowest level, relative to the range g_on - g_off.
        compensation: what outputs are multiplied by; None for nothing.
        measured_s: when its factors are measured, s since programming; None: at ``time_s``.
    """

    time_s: float
    start_s: float
    nu: float
    nu_sigma: float
    off: float
    compensation: Compensation | None = None
    measured_s: float | None = None

    @classmethod
    def of_device(
        cls,
        device: DeviceFile,
        time_s: int | float,
        *,
        compensation: Compensation | None = None,
        measured_s: int | float | None = None,
    ) -> Drift:
        """Take the constants of a device.

        Args:
            device: a file of ``configs/device``.
            time_s: time since programming, s.
            compensation: what outputs are multiplied by; None for nothing.
            measured_s: when its factors are measured, s; None: at ``time_s``.

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
            compensation=compensation,
            measured_s=None if measured_s is None else float(measured_s),
        )

    @property
    def calibrated_s(self) -> float:
        """When the factors of the compensation are measured, s."""
        return self.time_s if self.measured_s is None else self.measured_s

    def share(self, time_s: float) -> float:
        """Return what cells have left of their conductance on average.

        Args:
            time_s: time since programming, s.
        """
        return float(
            mean_drift_factor(
                time_s=time_s,
                start_s=self.start_s,
                drift_nu=self.nu,
                drift_nu_sigma=self.nu_sigma,
            )
        )

    def later(
        self,
        stored: Mapping[str, Tensor],
        wanted: Mapping[str, Tensor],
        verified: Masks,
        storage: WeightStorage,
        generator: torch.Generator,
        *,
        noisy: bool = False,
    ) -> dict[str, Tensor]:
        """Return weights after the drift, as they act where outputs are compensated.

        The same seed gives the same exponents, whatever the errors, the masks, the times and the
        compensation.

        Args:
            stored: weights as the cells hold them after programming, by name.
            wanted: what they were asked for; the same names.
            verified: masks of the write-verified ones.
            storage: how they lie on cells.
            generator: source of all randomness, on the CPU.
            noisy: whether reference reads have the device's read noise.
        """
        drifted = {}
        for name, target in storage.targets(wanted).items():
            cells = CellsOfTensor.of(target, verified[name], storage, storage.copies.get(name, 1))
            held, full = stored[name].double(), full_scale(wanted[name], storage.scaling)
            codes = held / full / cells.step  # with their errors
            reference = self._reference(target, cells, storage, generator, noisy=noisy)
            change = cells.change(codes.flatten(), self, generator, reference).view(target.shape)
            # Without a range there is nothing to drift.
            step = weight_range(wanted[name], storage.scaling) * cells.step
            drifted[name] = (held + step * change).to(stored[name].dtype)
        return drifted

    def _reference(
        self,
        target: Tensor,
        cells: CellsOfTensor,
        storage: WeightStorage,
        generator: torch.Generator,
        *,
        noisy: bool,
    ) -> ReferenceReads | None:
        """Return the reference reads of one tensor, before its exponents are drawn."""
        if self.compensation is None:
            return None
        outputs = len(target) if target.dim() else 1
        errors = torch.zeros(2, outputs, dtype=torch.float64)
        if noisy:
            # Of a seed of its own: exponents are those of a chip that is not compensated.
            peek = torch.Generator()
            peek.set_state(generator.get_state())
            seed = int(torch.randint(1 << 62, (), generator=peek)) ^ _REFERENCE_SEED
            own = torch.Generator().manual_seed(seed)
            for index, time_s in enumerate((REFERENCE_S, max(self.calibrated_s, REFERENCE_S))):
                left = 1.0 if storage.cell.read_noise_law is None else self.share(time_s)
                std = left * _read_steps(target, storage.cell, time_s) / cells.copies**0.5
                spread = std.square().reshape(outputs, -1).sum(1).sqrt()
                normal = torch.randn(outputs, generator=own, dtype=torch.float64)
                errors[index] = spread * normal
        return ReferenceReads(self.compensation, outputs, errors)


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
    for name, weight in wanted.items():
        step = weight_range(weight, storage.scaling) / cell.weight_format.largest_code
        normal = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        own: float | Tensor = _uniform_read_steps(cell)
        if cell.read_noise_law is not None:
            target = storage.targets({name: weight})[name]
            own = _read_steps(target, cell, time_s).to(weight.dtype)
        read_errors[name] = own / storage.copies.get(name, 1) ** 0.5 * step * normal
    return read_errors


def _read_steps(target: Tensor, cell: CellModel, time_s: float) -> Tensor:
    """Return the standard deviation of a read of each weight, in steps of its code."""
    form = cell.weight_format
    if cell.read_noise_law is None:
        return torch.full(target.shape, _uniform_read_steps(cell), dtype=torch.float64)
    codes = form.codes_of(target, 1 / form.largest_code)
    return cell.read_noise_law.of_codes(codes, form, time_s).double()


def _uniform_read_steps(cell: CellModel) -> float:
    """Return the same for noise that is the same in all cells."""
    return float(
        code_noise_std(
            sigma=cell.read_noise_sigma,
            weight_bits=cell.weight_bits,
            bits_per_cell=cell.bits_per_cell,
            differential=cell.weight_format.sides > 1,
        )
    )


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
        return self.drift.later(stored, wanted, verified, storage, generator, noisy=self.noisy)

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
        share = self._noise_share(storage)
        return {name: weight + share * noise[name] for name, weight in held.items()}

    def _noise_share(self, storage: WeightStorage) -> float:
        """Return what drift and its compensation do to the noise of a read, on average.

        Noise that goes with the conductance is less by what cells have lost; a compensation
        multiplies it with the signal.
        """
        if self.drift is None:
            return 1.0
        share = 1.0 if storage.cell.read_noise_law is None else self.drift.share(self.drift.time_s)
        if self.drift.compensation is None:
            return share
        return share / self.drift.share(self.drift.calibrated_s)


def _si(quantity: Quantity | None) -> float:
    """Return the SI value; 0 for what a device does not have."""
    return 0.0 if quantity is None else quantity.si
