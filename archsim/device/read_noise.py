"""How the noise of a read grows with time and with conductance: 1/f noise of phase-change memory.

Nandakumar et al., ICECS 2019, doi:10.1109/ICECS46596.2019.8964852, as IBM aihwkit documents it
(docs/source/pcm_inference.rst): of a cell of conductance ``g``, relative to the maximum,

    sigma(t) = g Q sqrt(ln((t + t_r) / (2 t_r))),    Q = min(q / g^0.65, 0.2),

with q = 0.0088 and the pulse of a read, t_r = 250 ns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archsim.config.schema.device import DeviceFile
from archsim.device.weight_format import WeightFormat
from archsim.errors import Code, ConfigError

#: Time after programming at which ``read_noise_sigma`` is given, s.
REFERENCE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class ReadNoise:
    """Spread of one read, relative to the range g_on - g_off.

    Attributes:
        sigma: at full conductance, :data:`REFERENCE_S` after programming.
        off: ``g_off / g_on``.
        read_time_s: pulse of a read, s; None for noise that no time changes.
        exponent: of the conductance by which the relative noise falls; 0 for none.
        most: largest relative noise of a cell per root of the logarithm.
    """

    sigma: float
    off: float = 0.0
    read_time_s: float | None = None
    exponent: float = 0.0
    most: float = math.inf

    @classmethod
    def of_device(cls, device: DeviceFile) -> ReadNoise:
        """Return the noise of a device: constant where it has no ``read_noise_law``.

        Args:
            device: a file of ``configs/device``.

        Raises:
            ConfigError: noise at full conductance beyond the bound of its law.
        """
        sigma, law = device.of_range(device.read_noise_sigma), device.read_noise_law
        if law is None or device.r_on is None or device.r_off is None:
            return cls(sigma=sigma)
        noise = cls(
            sigma=sigma,
            off=device.r_on.si / device.r_off.si,
            read_time_s=law.read_time.si,
            exponent=law.exponent.si,
            most=law.most.si,
        )
        if noise._relative > noise.most * (1 + 1e-9):
            said = device.read_noise_sigma.si if device.read_noise_sigma else 0.0
            most = said * noise.most / noise._relative
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "device.read_noise_sigma",
                said,
                problem=f"more than device.read_noise_law.most = {law.most.si:g} allows at full "
                "conductance",
                allowed=f"0 to {most:.3g}, or device.read_noise_law=null",
            )
        return noise

    def growth(self, time_s: float = REFERENCE_S) -> float:
        """Return the noise at a time over that at :data:`REFERENCE_S`.

        Args:
            time_s: since programming, s; at least the pulse of a read.

        Raises:
            ConfigError: a time that is shorter, or not finite.
        """
        if self.read_time_s is None:
            return 1.0
        if not self.read_time_s <= time_s < math.inf:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "time_s",
                time_s,
                allowed=f"{self.read_time_s:g} s or more",
                form="g",
            )
        return self._root(time_s) / self._root(REFERENCE_S)

    def at(self, levels: Tensor, time_s: float = REFERENCE_S) -> Tensor:
        """Return the spread of a read of every cell, relative to the range g_on - g_off.

        Args:
            levels: of cells, as shares of the range, 0 to 1, ``*cells``.
            time_s: since programming, s.

        Raises:
            ConfigError: a time shorter than a read.
        """
        full = self.sigma * self.growth(time_s)
        if self.read_time_s is None:
            return full + torch.zeros_like(levels)
        conductance = (self.off + levels * (1 - self.off)).clamp(0.0, 1.0)
        most = math.inf if self._relative == 0 else self.most / self._relative
        return full * torch.minimum(conductance ** (1 - self.exponent), most * conductance)

    def of_codes(
        self,
        codes: Int[Tensor, "*weights"],
        weight_format: WeightFormat,
        time_s: float = REFERENCE_S,
    ) -> Float[Tensor, "*weights"]:
        """Return the spread of a read of every weight, of all its cells, in steps of its code.

        Args:
            codes: signed.
            weight_format: how they lie on cells.
            time_s: since programming, s.

        Raises:
            ConfigError: a time shorter than a read.
        """
        levels = torch.linspace(0.0, 1.0, weight_format.level_count, dtype=torch.float64)
        return weight_format.code_noise_std(codes, self.at(levels, time_s).to(codes.device))

    @property
    def _relative(self) -> float:
        """Q at full conductance: of the maximum, where sigma is of the range."""
        return self.sigma * (1 - self.off) / self._root(REFERENCE_S)

    def _root(self, time_s: float) -> float:
        read_s = self.read_time_s or math.inf
        return math.sqrt(math.log((time_s + read_s) / (2 * read_s)))
