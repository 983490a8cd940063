"""How a chip reads: the settings that its accuracy and its cost have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_args

from archsim.config.resolve import Resolved
from archsim.config.schema.read import Adc, Read
from archsim.device import ReadNoise, WeightFormat
from archsim.device.read_noise import REFERENCE_S
from archsim.errors import Code, ConfigError
from tsb.read_path.checks import at_least_0, one_of
from tsb.read_path.level_tables import LEVELS, checked_table, levels_of

if TYPE_CHECKING:
    from tsb.read_path.effects.base import Effect

#: How the current of cells at the lowest level is taken out of a column's sum.
OFFSET_SUBTRACTIONS: tuple[str, ...] = get_args(Read.model_fields["offset_subtraction"].annotation)
#: Where the columns of a pair are subtracted.
PAIRS: tuple[str, ...] = get_args(Read.model_fields["pair"].annotation)
#: How the range of a converter is set.
RANGES: tuple[str, ...] = get_args(Adc.model_fields["range"].annotation)
#: How the calibrated ranges of a layer's slices belong together.
SLICE_RANGES: tuple[str, ...] = get_args(Adc.model_fields["slice_ranges"].annotation)
#: How negative inputs are read.
SIGNED_INPUTS: tuple[str, ...] = get_args(Read.model_fields["signed_inputs"].annotation)
#: Wires that are modelled; "gated-tanh*" are closed forms of "gated".
WIRE_MODELS = (
    "none",
    "driven",
    "driven-one-solve",
    "gated",
    "gated-tanh",
    "gated-tanh-distance",
    "gated-tanh-distance-series",
)


@dataclass(frozen=True, kw_only=True)
class Converter:
    """The converter at the end of the columns.

    Attributes:
        bits: resolution b; 0 converts without rounding.
        range: one of :data:`RANGES`.
        percentile: of ``calibrated``: the range holds the sums between 100 - p and p, per cent.
        snap: round calibrated spans up to odd whole numbers of levels, which have no ties.
        slice_ranges: one of :data:`SLICE_RANGES`.
        noise_lsb: standard deviation of the noise of a conversion, steps.
        offset_lsb: standard deviation of the offsets of converters, steps.
        columns_per_converter: columns that share a converter, and its offset.
        levels: one of :data:`LEVELS`, or a table: sorted, as fractions of the range (0 to 1; -1 to
            1 where sums have a sign), at most one per code.
    """

    bits: int = 8
    range: str = "calibrated"
    percentile: float = 99.9
    snap: bool = True
    slice_ranges: str = "free"
    noise_lsb: float = 0.0
    offset_lsb: float = 0.0
    columns_per_converter: int = 8
    levels: str | tuple[float, ...] = "linear"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: bits outside 0 to 16, an unknown range rule, a percentile outside 50 to
                100, noise below 0, no columns, or levels that are no levels.
        """
        if not 0 <= self.bits <= 16:
            raise ConfigError.of(Code.OUT_OF_RANGE, "adc.bits", self.bits, allowed="0 to 16")
        one_of("adc.range", self.range, RANGES)
        one_of("adc.slice_ranges", self.slice_ranges, SLICE_RANGES)
        if not 50 < self.percentile <= 100:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "adc.percentile",
                self.percentile,
                allowed="above 50, at most 100",
                form="g",
            )
        for name in ("noise_lsb", "offset_lsb"):
            at_least_0(f"adc.{name}", getattr(self, name))
        if self.columns_per_converter < 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "crossbar.mux_ratio",
                self.columns_per_converter,
                allowed="1 or more",
            )
        if isinstance(self.levels, str):
            one_of("adc.levels", self.levels, LEVELS)
            if self.levels == "lloyd-max" and (self.of_batches or not self.calibrates):
                raise ConfigError(
                    f"adc.levels = 'lloyd-max' with adc.range = '{self.range}': clusters are those "
                    "of calibration sums; allowed: adc.range calibrated or learned",
                    code=Code.CONFLICT,
                    field="adc.range",
                    value=self.range,
                    allowed=("calibrated", "learned"),
                )
        else:
            checked_table(self.levels, bits=self.bits)

    @property
    def calibrates(self) -> bool:
        """Whether the rule needs calibration images."""
        return self.range in ("calibrated", "learned") or self.of_batches

    @property
    def of_batches(self) -> bool:
        """Whether the range is that of the sums that are read together."""
        return self.range == "neurosim-v1.4"


@dataclass(frozen=True, kw_only=True)
class Wires:
    """Resistance of the wires of a crossbar.

    Attributes:
        model: one of :data:`WIRE_MODELS`.
        ohm_per_cell: of one segment, between neighbouring cells, ohm.
        r_on_ohm: resistance of a cell at the highest level, ohm.
        columns: bit lines per crossbar, where "driven" cuts a matrix.
        rows_at: where a group that does not fill its crossbar lies: ``top``, farthest from the
            converters, or ``bottom``, next to them.
    """

    model: str = "none"
    ohm_per_cell: float = 0.0
    r_on_ohm: float = 1e5
    columns: int = 128
    rows_at: str = "top"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: an unknown model or place, or resistances out of range.
        """
        one_of("crossbar.wire_model", self.model, WIRE_MODELS)
        one_of("crossbar.rows_at", self.rows_at, ("top", "bottom"))
        at_least_0("crossbar.wire_ohm", self.ohm_per_cell)
        if not 0 < self.r_on_ohm < math.inf:
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "device.r_on", self.r_on_ohm, allowed="above 0", form="g"
            )
        if self.columns < 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "crossbar.cols", self.columns, allowed="1 or more"
            )

    @property
    def act(self) -> bool:
        """Whether the wires change what is read."""
        return self.model != "none" and self.ohm_per_cell > 0


@dataclass(frozen=True, kw_only=True)
class ReadSettings:
    """How a chip reads its crossbars.

    Attributes:
        weight_format: bits per weight and cell, encoding. ``magnitude`` is read as separate-sign
            whose idle cells have no error.
        input_bits: B, bits of an input code.
        dac_bits: D, bits that a word line is driven with at once.
        rows: word lines of a crossbar.
        rows_at_once: word lines that are on at once; None for all.
        on_off_ratio: r_off / r_on; infinite where cells at the lowest level carry no current.
        offset_subtraction: one of :data:`OFFSET_SUBTRACTIONS`; acts where there are no pairs.
        pair: one of :data:`PAIRS`; acts where there are pairs.
        signed_inputs: one of :data:`SIGNED_INPUTS`.
        input_percentile: of the inputs over the calibration images that the highest code stands
            for, per cent.
        read_noise: standard deviation of one read of a cell at full conductance, over g_on - g_off.
        read_noise_law: how it falls with the conductance; None: not at all.
        iv_curve: current of a cell against voltage; see :mod:`tsb.read_path.effects.iv_curve`.
        converter: at the end of the columns.
        wires: of the crossbars.
        effects: further ones, beside those that the other settings ask for.
    """

    weight_format: WeightFormat
    input_bits: int = 8
    dac_bits: int = 1
    rows: int = 128
    rows_at_once: int | None = None
    on_off_ratio: float = math.inf
    offset_subtraction: str = "digital"
    pair: str = "digital"
    signed_inputs: str = "zero-point"
    input_percentile: float = 100.0
    read_noise: float = 0.0
    read_noise_law: ReadNoise | None = None
    iv_curve: str = "linear"
    converter: Converter = field(default_factory=Converter)
    wires: Wires = field(default_factory=Wires)
    effects: tuple[Effect, ...] = ()

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: something out of range, or settings that cannot be read together.
        """
        from tsb.read_path.effects.iv_curve import parsed

        if not 1 <= self.input_bits <= 16:
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "precision.input_bits", self.input_bits, allowed="1 to 16"
            )
        if not 1 <= self.dac_bits <= self.input_bits:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "read.dac_bits",
                self.dac_bits,
                allowed=f"1 to precision.input_bits ({self.input_bits})",
            )
        if self.rows < 1:
            raise ConfigError.of(Code.OUT_OF_RANGE, "crossbar.rows", self.rows, allowed="1 or more")
        if self.rows_at_once is not None and not 1 <= self.rows_at_once <= self.rows:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "read.rows_at_once",
                self.rows_at_once,
                allowed=f"1 to crossbar.rows ({self.rows}), or null for all",
            )
        if not self.on_off_ratio > 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "on_off_ratio",
                self.on_off_ratio,
                allowed="above 1",
                form="g",
            )
        one_of("read.offset_subtraction", self.offset_subtraction, OFFSET_SUBTRACTIONS)
        one_of("read.pair", self.pair, PAIRS)
        one_of("read.signed_inputs", self.signed_inputs, SIGNED_INPUTS)
        if not 50 < self.input_percentile <= 100:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "read.input_percentile",
                self.input_percentile,
                allowed="above 50, at most 100",
                form="g",
            )
        at_least_0("device.read_noise_sigma", self.read_noise)
        if self.signed_inputs == "sign-plane" and self.dac_bits > 1:
            raise ConfigError(
                f"read.signed_inputs = 'sign-plane' with read.dac_bits = {self.dac_bits}: the sign "
                "is a plane of its own; allowed: read.dac_bits = 1, or zero-point or two-pass",
                code=Code.CONFLICT,
                field="read.dac_bits",
                value=self.dac_bits,
                allowed="1, or read.signed_inputs zero-point or two-pass",
            )
        parsed(self.iv_curve)

    @classmethod
    def of_chip(
        cls,
        resolved: Resolved,
        form: WeightFormat,
        *,
        noisy: bool = False,
        time_s: float = REFERENCE_S,
    ) -> ReadSettings:
        """Take the settings of a chip.

        Args:
            resolved: the chip with its device.
            form: how its weights lie on cells.
            noisy: whether reads have the device's read noise.
            time_s: of the read since programming, s, for noise that grows with it.

        Raises:
            ConfigError: settings that the read path does not do, by name.
            DataError: a table of levels that cannot be read.
        """
        chip, device = resolved.chip, resolved.device
        on_off, noise = math.inf, ReadNoise.of_device(device)
        if device.r_on is not None and device.r_off is not None:
            on_off = device.r_off.si / device.r_on.si
        return cls(
            weight_format=form,
            input_bits=chip.precision.input_bits,
            dac_bits=chip.read.dac_bits,
            rows=chip.crossbar.rows,
            rows_at_once=chip.read.rows_at_once,
            on_off_ratio=on_off,
            offset_subtraction=chip.read.offset_subtraction,
            pair=chip.read.pair,
            signed_inputs=chip.read.signed_inputs,
            iv_curve=chip.read.iv_curve,
            read_noise=noise.sigma * noise.growth(time_s) if noisy else 0.0,
            read_noise_law=noise if noisy and device.read_noise_law is not None else None,
            converter=Converter(
                bits=chip.adc.bits,
                range=chip.adc.range,
                percentile=chip.adc.percentile,
                snap=chip.adc.snap,
                slice_ranges=chip.adc.slice_ranges,
                noise_lsb=chip.adc.noise_lsb,
                offset_lsb=chip.adc.offset_lsb,
                levels=levels_of(chip.adc.levels, bits=chip.adc.bits),
                columns_per_converter=chip.crossbar.mux_ratio,
            ),
            wires=_wires(resolved),
        )

    def but(self, **changes: Any) -> ReadSettings:
        """Return a copy with some values changed."""
        return replace(self, **changes)

    @property
    def stored_format(self) -> WeightFormat:
        """The format as cells in columns hold it."""
        form = self.weight_format
        return replace(form, encoding="separate-sign") if form.encoding == "magnitude" else form

    @property
    def planes(self) -> int:
        """Reads of an input code, ``ceil(B / D)``."""
        return -(-self.input_bits // self.dac_bits)

    @property
    def top_drive(self) -> int:
        """Highest digit of an input code, ``2^D - 1``."""
        return (1 << self.dac_bits) - 1

    @property
    def top_level(self) -> int:
        """Highest level of a cell, L."""
        return self.weight_format.level_count - 1

    @property
    def rows_read(self) -> int:
        """Word lines that are on at once."""
        return self.rows if self.rows_at_once is None else self.rows_at_once

    @property
    def off_level(self) -> float:
        """Conductance of a cell at level 0, in levels: ``L / (R - 1)``."""
        return self.top_level / (self.on_off_ratio - 1)

    @property
    def pairs(self) -> bool:
        """Whether a weight has a positive and a negative column."""
        return self.stored_format.sides > 1

    @property
    def subtracts_analog(self) -> bool:
        """Whether the sums that are converted have no current of cells at level 0."""
        return self.pair == "analog" if self.pairs else self.offset_subtraction == "analog"

    @property
    def seen_off_level(self) -> float:
        """Conductance of level 0 that the converter sees, in levels."""
        return 0.0 if self.subtracts_analog else self.off_level

    @property
    def signed_sums(self) -> bool:
        """Whether the sums that are converted have a sign."""
        return self.pairs and self.pair == "analog"


def _wires(resolved: Resolved) -> Wires:
    crossbar, device = resolved.chip.crossbar, resolved.device
    if crossbar.wire_ohm is None:
        raise ConfigError.of(
            Code.UNSUPPORTED,
            "chip.crossbar.wire_ohm",
            None,
            allowed="ohm per cell, 0 for ideal wires",
            more=", for the exact read path",
        )
    ohm = crossbar.wire_ohm.si
    if not ohm or device.r_on is None:
        return Wires()
    by_access = {"none": "driven", "1t1r": "gated"}[device.access]
    return Wires(
        model=crossbar.wire_model or by_access,
        ohm_per_cell=ohm,
        r_on_ohm=device.r_on.si,
        columns=crossbar.cols,
    )
