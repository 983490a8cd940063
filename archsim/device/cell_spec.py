"""How a chip holds weights: device, number formats, encoding and spread, in one place.

Programming, accuracy and the report's cost of one design all take their cells from here, built from
one resolved chip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from archsim.config.resolve import Resolved
from archsim.config.schema.device import DeviceFile
from archsim.device.level_table import LevelTable
from archsim.device.variation import code_noise_std
from archsim.device.weight_format import WeightFormat
from archsim.errors import Code, ConfigError


def assumed_encoding(stored: str) -> str:
    """Return the encoding that accuracies assume where nobody names one.

    An offset code is what the chip stores, but the literature that accuracies are compared with
    keeps the sign outside of the cells (Qin et al., arXiv 2406.06544; Yan et al., arXiv
    2202.08395): ``magnitude``. Other encodings are taken as they are stored.

    Args:
        stored: encoding that the chip has, ``chip.precision.encoding``.
    """
    return "magnitude" if stored == "offset" else stored


@dataclass(frozen=True, kw_only=True)
class CellSpec:
    """The cells of a chip, as accuracy and programming see them.

    Attributes:
        device: the memory device, resolved.
        weight_format: bits per weight, bits per cell and encoding of the accuracy.
        stored_encoding: encoding that the chip has, and that its cost is of.
        sigma_of_range: spread of one pulse, relative to the range g_on - g_off, 0 to 1.
    """

    device: DeviceFile
    weight_format: WeightFormat
    stored_encoding: str
    sigma_of_range: float

    def __post_init__(self) -> None:
        """Check the spread.

        Raises:
            ConfigError: outside 0 to 1, or another than that of a device's measured levels.
        """
        if not 0 <= self.sigma_of_range <= 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "sigma",
                self.sigma_of_range,
                allowed="0 to 1",
                form="g",
                more=", of the range of conductance",
            )
        own = self.device.sigma_of_range
        if self.device.levels is not None and not math.isclose(self.sigma_of_range, own):
            raise ConfigError.of(
                Code.CONFLICT,
                "sigma",
                self.sigma_of_range,
                problem=f"device '{self.device.name}' has a spread of each level (device.levels), "
                "which no one number replaces",
                allowed=f"{own:.9g}, or a device without levels",
                form="g",
            )

    @classmethod
    def of_chip(
        cls,
        resolved: Resolved,
        *,
        encoding: str | None = None,
        sigma_of_range: float | None = None,
    ) -> CellSpec:
        """Return the cells of a chip.

        Args:
            resolved: the chip with its device.
            encoding: one of :data:`archsim.device.ENCODINGS`; None takes
                :func:`assumed_encoding` of the chip's.
            sigma_of_range: replaces the device's spread; None keeps it.

        Raises:
            ConfigError: an unknown encoding, bits that it cannot have, or a spread out of range.
        """
        precision, device = resolved.chip.precision, resolved.device
        return cls(
            device=device,
            weight_format=WeightFormat(
                weight_bits=precision.weight_bits,
                bits_per_cell=precision.bits_per_cell,
                encoding=assumed_encoding(precision.encoding) if encoding is None else encoding,
            ),
            stored_encoding=precision.encoding,
            sigma_of_range=device.sigma_of_range if sigma_of_range is None else sigma_of_range,
        )

    @property
    def levels(self) -> LevelTable | None:
        """Measured levels of these cells; None for a device without.

        Raises:
            ConfigError: the table has none for so many bits per cell.
        """
        table = LevelTable.of_device(self.device)
        return None if table is None else table.of_cells(self.weight_format.bits_per_cell)

    @property
    def encoding(self) -> str:
        """Encoding of the accuracy."""
        return self.weight_format.encoding

    @property
    def encoding_differs(self) -> bool:
        """Whether the accuracy is of another encoding than the cost."""
        return self.encoding != self.stored_encoding

    @property
    def stored_noise_ratio(self) -> float:
        """Noise of a weight in the encoding that the chip stores, over that of the accuracy."""
        return _noise_ratio(self.weight_format, self.stored_encoding)


def encoding_note(form: WeightFormat, stored_encoding: str) -> str:
    """Return what to say beside an accuracy and a cost of different encodings, "" where they agree.

    Args:
        form: of the accuracy.
        stored_encoding: of the cost.
    """
    if form.encoding == stored_encoding:
        return ""
    ratio = _noise_ratio(form, stored_encoding)
    return (
        f"encoding: the accuracy assumes {form.encoding}, the chip stores and the cost counts "
        f"{stored_encoding}, whose weights have {ratio:.2f} times the noise"
    )


def _noise_ratio(form: WeightFormat, stored_encoding: str) -> float:
    return relative_noise(replace(form, encoding=stored_encoding)) / relative_noise(form)


def relative_noise(form: WeightFormat) -> float:
    """Return the noise of a weight over that of its largest value, at sigma 1.

    Args:
        form: how weights lie on cells.
    """
    steps = code_noise_std(
        sigma=1.0,
        weight_bits=form.weight_bits,
        bits_per_cell=form.bits_per_cell,
        differential=form.sides > 1,
    )
    return float(steps) / form.largest_code
