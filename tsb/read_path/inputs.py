"""Input codes: how activations become the digits that drive word lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archsim.errors import Code, ConfigError
from tsb.read_path.settings import SIGNED_INPUTS

Codes = npt.NDArray[np.integer]


@dataclass(frozen=True)
class InputCodes:
    """The code of an activation: ``round(x / step) + zero``, cut off at both ends.

    Attributes:
        step: of one code, in units of the activation; 0 where all activations are 0.
        zero: code of 0.
        bits: B.
        signed: how negative activations are read, one of
            :data:`tsb.read_path.settings.SIGNED_INPUTS`; None where there are none.
    """

    step: float
    zero: int
    bits: int
    signed: str | None = None

    @classmethod
    def of_range(cls, low: float, high: float, *, bits: int, signed_inputs: str) -> InputCodes:
        """Return the codes of a range of activations.

        Args:
            low: smallest activation; 0 or more after a ReLU.
            high: largest.
            bits: B.
            signed_inputs: one of :data:`tsb.read_path.settings.SIGNED_INPUTS`.

        Raises:
            ConfigError: a range that is not finite, or one bit for numbers with a sign.
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ConfigError(
                f"range of a layer's inputs = {low:g} to {high:g}; allowed: finite",
                code=Code.NOT_FINITE,
                field="inputs",
                value=(low, high),
            )
        top = (1 << bits) - 1
        if low >= 0:
            return cls(max(high, 0.0) / top, 0, bits)
        largest = max(-low, high)
        if signed_inputs == "zero-point":
            step = (max(high, 0.0) - low) / top
            return cls(step, round(-low / step), bits, signed_inputs)
        if signed_inputs == "two-pass":
            return cls(largest / top, 0, bits, signed_inputs)
        if signed_inputs != "sign-plane":
            raise ConfigError.of(
                Code.UNKNOWN_NAME, "read.signed_inputs", signed_inputs, allowed=SIGNED_INPUTS
            )
        if bits < 2:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "precision.input_bits",
                bits,
                allowed="2 or more where inputs have a sign plane (read.signed_inputs)",
            )
        return cls(largest / (top >> 1), 0, bits, signed_inputs)

    @property
    def passes(self) -> int:
        """Reads of a vector: the positive part, and the negative one where it is apart."""
        return 2 if self.signed == "two-pass" else 1

    def encode(self, activations: Tensor) -> list[Codes]:
        """Return the codes of activations, one array per pass.

        Args:
            activations: real, any shape, on the CPU.
        """
        top = (1 << self.bits) - 1
        if self.step == 0:
            return [np.zeros(activations.shape, self._dtype)] * self.passes
        steps = torch.round(activations.detach() / self.step)
        if self.signed == "two-pass":
            return [self._whole(part.clamp(0, top)) for part in (steps, -steps)]
        if self.signed == "sign-plane":
            half = 1 << (self.bits - 1)
            codes = steps.clamp(-half, half - 1)
            return [self._whole(torch.where(codes < 0, codes + 2 * half, codes))]
        return [self._whole((steps + self.zero).clamp(0, top))]

    @property
    def ends(self) -> tuple[int, int]:
        """Smallest and largest number that a code stands for, steps."""
        top, half = (1 << self.bits) - 1, 1 << (self.bits - 1)
        if self.signed == "two-pass":
            return -top, top
        return (-half, half - 1) if self.signed == "sign-plane" else (-self.zero, top - self.zero)

    def values(self, activations: Tensor) -> Tensor:
        """Return the numbers that the codes of activations stand for, steps, same shape and type.

        Args:
            activations: real, any shape, on the CPU.
        """
        if self.step == 0:
            return torch.zeros_like(activations)
        return (activations.detach() / self.step).round_().clamp_(*self.ends)

    @property
    def _dtype(self) -> type[np.unsignedinteger]:
        return np.uint8 if self.bits <= 8 else np.uint16

    def _whole(self, codes: Tensor) -> Codes:
        whole: Codes = codes.numpy().astype(self._dtype)
        return whole


class Ends:
    """The range of a layer's inputs over calibration images."""

    def __init__(self, percentile: float) -> None:
        """Begin with nothing.

        Args:
            percentile: of the magnitudes that the range holds, per cent; 100 for all.
        """
        self.percentile = percentile
        self.low, self.high = math.inf, -math.inf
        self.kept: list[Tensor] = []

    def add(self, activations: Tensor) -> None:
        """Add the inputs of some images.

        Args:
            activations: any shape.
        """
        part = activations.detach()
        if not bool(torch.isfinite(part).all()):
            raise ConfigError(
                "inputs of a layer on the calibration images are not finite",
                code=Code.NOT_FINITE,
                field="inputs",
            )
        self.low, self.high = min(self.low, float(part.min())), max(self.high, float(part.max()))
        if self.percentile < 100:
            self.kept.append(part.abs().flatten())

    def found(self) -> tuple[float, float]:
        """Return lower and upper end.

        Raises:
            ConfigError: no activations.
        """
        if self.low > self.high:
            raise ConfigError(
                "the range of inputs was given no images; allowed: one or more",
                code=Code.MISSING_KEY,
                field="inputs",
            )
        if not self.kept:
            return self.low, self.high
        flat = torch.cat(self.kept)
        rank = max(1, math.ceil(Fraction(repr(self.percentile)) * flat.numel() / 100))
        largest = float(flat.kthvalue(rank).values)
        return max(self.low, -largest), min(self.high, largest)
