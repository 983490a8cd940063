"""What a user may write: the pydantic models of chip, technology and TSB presets.

These models live at the border only. Inside, :class:`archsim.arch.design.DesignBatch` holds the
same numbers as SI tensors. Every key is documented by its ``description``, which is also what
``archsim schema chip`` prints for editors.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from archsim.config.sourced import Quantity, quantity


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


Count = Annotated[int, Field(strict=True, ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


def _insertion(rule: str) -> str:
    """A rule of archsim.network.insertion; which names there are, the network will say."""
    head, colon, names = rule.partition(":")
    if rule in ("default", "convolution", "residual_block"):
        return rule
    if head == "pattern" and colon and all(name.strip() for name in names.split(",")):
        return rule
    raise ValueError(
        "unknown; allowed: default, convolution, residual_block, or pattern:NAMES, e.g. "
        "pattern:blocks.*.mlp.fc2"
    )


#: Where shared blocks go.
Insertion = Annotated[str, Field(strict=True), AfterValidator(_insertion)]


class Precision(_Model):
    """Number formats of weights, inputs and cells."""

    weight_bits: int = Field(strict=True, ge=1, le=16, description="bits per weight (M)")
    input_bits: int = Field(strict=True, ge=1, le=16, description="bits per input, bit-serial")
    bits_per_cell: int = Field(strict=True, ge=1, le=8, description="bits per cell (K)")
    encoding: Literal["offset", "differential"] = Field(
        description="offset code in one column, or a positive and a negative column (x 2 columns)"
    )
    pad_top_slice: bool = Field(
        default=False,
        description="allow bits_per_cell that does not divide weight_bits: the top cell keeps "
        "unused levels",
    )

    @model_validator(mode="after")
    def _bits_divide(self) -> Precision:
        if self.weight_bits % self.bits_per_cell and not self.pad_top_slice:
            divisors = [k for k in range(1, 9) if self.weight_bits % k == 0]
            raise ValueError(
                f"bits_per_cell = {self.bits_per_cell} does not divide weight_bits = "
                f"{self.weight_bits}; allowed: {divisors}, or set precision.pad_top_slice=true"
            )
        return self


class Crossbar(_Model):
    """The cell array and how many columns share an ADC."""

    rows: int = Field(strict=True, ge=8, le=1024, description="word lines per crossbar")
    cols: int = Field(strict=True, ge=8, le=1024, description="bit lines per crossbar")
    mux_ratio: Literal[4, 8, 16, 32, 64] = Field(description="columns per ADC")

    @model_validator(mode="after")
    def _columns_divide(self) -> Crossbar:
        if self.cols % self.mux_ratio:
            raise ValueError(
                f"cols = {self.cols} is not a multiple of mux_ratio = {self.mux_ratio}"
            )
        return self


class Adc(_Model):
    """The analog-to-digital converter at the end of the columns."""

    kind: Literal["flash-current", "flash-voltage", "sar"] = Field(
        description="current-mode flash, voltage-mode flash or successive approximation"
    )
    bits: int = Field(strict=True, ge=3, le=10, description="resolution; levels = 2^bits")
    model: Literal["circuit", "andrulis2024", "zigzag-imc", "isaac"] = Field(
        default="circuit",
        description="the circuit model of this kind, or a published closed form (configs/adc)",
    )


class Read(_Model):
    """Read conditions of the array."""

    voltage: quantity("V") | None = Field(  # type: ignore[valid-type]
        default=None, description="bit-line read voltage; null takes the technology's"
    )
    access_voltage: quantity("V") = Field(  # type: ignore[valid-type]
        description="gate voltage of the access transistors during a read"
    )
    access_resistance_ratio: quantity("1") = Field(  # type: ignore[valid-type]
        description="on-resistance of the access transistor over that of the cell"
    )
    adc_empty_power: quantity("W") = Field(  # type: ignore[valid-type]
        description="ADC power per column while no row is active"
    )


class Hierarchy(_Model):
    """Subarray, PE and tile: how the compiler sizes and fills them."""

    kernel_per_pe: bool = Field(
        description="give each kernel position of the most common kernel its own PE (Peng et al., "
        "ISCAS 2019), so that inputs are reused along the row of PEs"
    )
    duplication: Literal["none", "fill", "balance"] = Field(
        description="copies of small layers: none; fill the tile that is there anyway; or fill "
        "and add tiles to even out the pipeline"
    )
    speed_up_degree: Count = Field(description="most copies per axis that `balance` may ask for")
    copies: Count = Field(default=1, description="multiplies the tiles of every backbone layer")
    linear_copies: Literal[1, 2, 4, 8] = Field(
        default=1,
        description="how often the cells of linear layers are written, one below the other; all "
        "work on the same inputs, and the average of their outputs has less noise",
    )
    max_tiles: Count | None = Field(
        default=None, description="tiles that fit on the chip; null for as many as needed"
    )
    size_check: bool = Field(
        description="artefact: call networks infeasible that are narrower than a tile"
    )
    buffer_rule: Literal["per_pe", "per_side"] = Field(
        description="tile buffers, adder tree and H-tree sized for the PEs of a tile; `per_side` "
        "is the artefact that sizes them for the PEs along one side"
    )


class Timing(_Model):
    """What counts as time."""

    pipeline: bool = Field(description="layers work on successive images at once")
    count_padding: bool = Field(
        description="count the output positions that touch zero padding; false is an artefact"
    )
    copy_rule: Literal["tiles", "arrays"] = Field(
        description="whole-tile copies of a layer share its vectors in all that happens in a tile; "
        "`arrays` is the artefact that only the subarrays and PEs get faster"
    )
    clock_floor: quantity("s") = Field(  # type: ignore[valid-type]
        description="artefact: delays are counted in cycles of at least this period"
    )


class Interconnect(_Model):
    """Wires between the tiles, and inside a tile."""

    kind: Literal["xy-bus", "h-tree"] = Field(description="global interconnect")
    max_width: quantity("bit", minimum=1.0)  # type: ignore[valid-type]
    width_rule: Literal["fixed", "halve"] = Field(
        description="bus as wide as max_width; `halve` is the artefact that halves the sum of all "
        "tile widths until it fits, a sawtooth in network size"
    )
    transfer_rule: Literal["pipelined", "whole_flight"] = Field(
        description="one transfer per clock behind one flight; `whole_flight` is the artefact "
        "that waits the whole flight for every transfer"
    )
    length_rule: Literal["half_grid", "reference"] = Field(
        description="mean path of half the grid in x and y; `reference` is the artefact that "
        "takes one row off the way back"
    )
    toggle_in: quantity("1")  # type: ignore[valid-type]
    toggle_out: quantity("1")  # type: ignore[valid-type]
    fold: quantity("1", minimum=1.0)  # type: ignore[valid-type]
    tile_fold: quantity("1", minimum=1.0)  # type: ignore[valid-type]
    delay_tolerance: quantity("1")  # type: ignore[valid-type]


class Buffers(_Model):
    """On-chip memories."""

    kind: Literal["register-file", "sram"] = Field(
        description="flip-flops behind a decoder, or SRAM arrays"
    )
    global_core: quantity("bit", minimum=1.0)  # type: ignore[valid-type]
    global_line: quantity("bit", minimum=1.0)  # type: ignore[valid-type]
    tile_core: quantity("bit", minimum=1.0)  # type: ignore[valid-type]
    tile_line: quantity("bit", minimum=1.0)  # type: ignore[valid-type]


class Accumulation(_Model):
    """How partial sums are added up."""

    result_rule: Literal["ceil", "floor"] = Field(
        description="results per ADC and read when a weight needs more columns than share an ADC: "
        "at least one; `floor` is the artefact that makes them free"
    )
    width_rule: Literal["log2", "sqrt"] = Field(
        description="growth of the sum's width with the arrays added; `sqrt` is an artefact"
    )
    idle_pe_energy: bool = Field(
        description="artefact: empty PEs of a partly filled tile repeat their neighbour's energy"
    )
    array_rule: Literal["all", "one_pe"] = Field(
        description="read energy of all subarrays of a copied layer; `one_pe` is the artefact that "
        "counts only those that fit the PE, or the subarray, that its copies are assigned to"
    )
    unit_rule: Literal["own", "all"] = Field(
        description="each stage of a pipeline has its share of the adders and ReLU units behind "
        "the tiles; `all` is the artefact that every layer uses those of all layers at once"
    )
    copies_in_tree: bool = Field(
        description="artefact: copies of a layer are added up as if they were parts of it"
    )


class Area(_Model):
    """What counts as area."""

    white_space: Literal["none", "bounding_box"] = Field(
        description="subarray area is the sum of its blocks, or the rectangle around them"
    )


class Calibration(_Model):
    """Factors from layout to silicon; each names what it corrects."""

    shifter_wiring: quantity("1")  # type: ignore[valid-type]
    sensing_time: quantity("1")  # type: ignore[valid-type]
    register_activity: quantity("1")  # type: ignore[valid-type]
    buffer_activity: quantity("1")  # type: ignore[valid-type]
    adder_activity: quantity("1")  # type: ignore[valid-type]
    control_activity: quantity("1")  # type: ignore[valid-type]
    adc_energy: quantity("1")  # type: ignore[valid-type]
    adc_area: quantity("1")  # type: ignore[valid-type]
    adc_time: quantity("1")  # type: ignore[valid-type]
    io_device_shifters: bool = Field(
        description="level shifters drawn with thick-oxide I/O devices"
    )


class Activity(_Model):
    """Statistics of inputs and weights that decide the read energy."""

    first_layer: Literal["uniform", "relu", "dense"] = Field(
        description="bits of the first layer's inputs: uniform in [0, 1), or as hidden layers"
    )
    hidden: Literal["relu", "dense"] = Field(
        description="bits of hidden inputs: rectified Gaussian, or all magnitude bits one"
    )
    input_std: quantity("1", minimum=1e-6)  # type: ignore[valid-type]
    weight_std: quantity("1", minimum=1e-6)  # type: ignore[valid-type]


class Programming(_Model):
    """How the weights get into the cells."""

    policy: Literal["none", "tsb", "all", "last-layers", "fraction"] = Field(
        description="whose cells are write-verified: nobody's, the shared block's, everybody's; "
        "or the shared block's and those of the last layers, or of a fraction of all weights"
    )
    last_layers: int = Field(
        default=1,
        strict=True,
        ge=1,
        le=4,
        description="policy last-layers: how many, at most those of the network",
    )
    fraction: Fraction = Field(
        default=0.1,
        description="policy fraction: share of the weights of every layer; which ones, by a score "
        "of the trained network, is for archsim program",
    )
    rewritten_layers: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=4,
        description="last layers that are trained again once the chip is written and read back: "
        "their cells get one pulse with all others and are then written again under the policy",
    )
    granularity: Literal["weight", "row"] = Field(
        default="weight",
        description="policy fraction: single weights anywhere, or whole rows of a crossbar",
    )
    parallel_subarrays: Count = Field(
        description="subarrays programmed at the same time, at most; see max_power"
    )
    max_power: quantity("W") | None = Field(  # type: ignore[valid-type]
        default=None,
        description="power of all write pulses at the same time, per chip; null: as much as "
        "parallel_subarrays take",
    )
    middle_share: Fraction = Field(
        default=0.4,
        description="share of the weights in the middle of their range, for devices that spread "
        "more there (sigma_profile weight); 0.4 is NeFT's; archsim program counts those of a "
        "network, and archsim map knows no weights",
    )


class OffChip(_Model):
    """What to do with a network that needs more tiles than ``hierarchy.max_tiles``."""

    when_full: Literal["refuse", "reload", "multi-chip"] = Field(
        default="refuse",
        description="call it infeasible; write its weights again and again from an external "
        "memory; or spread it over several chips",
    )
    memory: str = Field(
        default="lpddr4",
        description="external memory: preset name or path of an off-chip YAML",
    )
    link: str = Field(
        default="hypertransport",
        description="link between chips: preset name or path of an off-chip YAML",
    )
    images_per_reload: Count = Field(
        default=1,
        description="reload: images that go through one part before the next is loaded",
    )


class Correction(_Model):
    """Numbers of each output channel that a chip keeps in digital registers."""

    kind: Literal["none", "bias", "scale-and-bias"] = Field(
        default="none",
        description="what is applied to every sum before the activation: nothing, a bias, or a "
        "scale and a bias (corrections `biases`, `scales`, `output-match` of a study)",
    )
    layers: Literal["linear", "all"] = Field(
        default="linear", description="which layers have it; never the shared block"
    )
    bits: int = Field(
        default=8, strict=True, ge=2, le=16, description="of each number in its register"
    )


class DigitalUnit(_Model):
    """Multiply-adders for what no crossbar computes: attention, norms, softmax, activations."""

    mac_units: Count = Field(
        default=1024,
        description="multiply-adders of the unit, a square array; a chip whose network has no work "
        "for it has none (assumed; 256 to 4096 are usual)",
    )
    accumulator_bits: int = Field(
        default=32, strict=True, ge=8, le=64, description="width of a sum of products"
    )


class Chip(_Model):
    """One accelerator, from cells to chip."""

    name: str
    description: str = ""
    technology: str = Field(description="preset name or path of a technology YAML")
    device: str = Field(description="preset name or path of a device YAML")
    precision: Precision
    crossbar: Crossbar
    adc: Adc
    read: Read
    hierarchy: Hierarchy
    timing: Timing
    interconnect: Interconnect
    buffers: Buffers
    accumulation: Accumulation
    area: Area
    calibration: Calibration
    activity: Activity
    programming: Programming
    off_chip: OffChip = OffChip()
    correction: Correction = Correction()
    digital: DigitalUnit = DigitalUnit()

    @model_validator(mode="after")
    def _weight_fits(self) -> Chip:
        slices = math.ceil(self.precision.weight_bits / self.precision.bits_per_cell)
        needed = slices * (2 if self.precision.encoding == "differential" else 1)
        if self.crossbar.cols < needed:
            raise ValueError(
                f"crossbar.cols = {self.crossbar.cols} cannot hold one weight of {needed} cells; "
                f"allowed: >= {needed}"
            )
        return self


class Tsb(_Model):
    """The Tiny Shared Block: a c x c 1x1 convolution shared by all layers (arXiv 2406.06544)."""

    name: str
    description: str = ""
    channels: int = Field(strict=True, ge=1, le=4096, description="c: channels per group")
    depth: int = Field(default=1, strict=True, ge=1, le=4, description="1x1 layers in the block")
    insertion: Insertion = Field(
        default="default",
        description="after every convolution, or after every residual block; or by name: "
        "pattern:blocks.*.mlp.fc2",
    )
    copies: Count = Field(
        default=1,
        description="common: blocks that share the queue, rounded up to what fills rows of a tile",
    )
    per_group: bool = Field(
        default=True, description="separate: one crossbar per channel group, else one per layer"
    )


class OffChipFile(_Model):
    """An external memory, or a link between chips."""

    name: str
    description: str = ""
    energy_per_bit: quantity("J/bit")  # type: ignore[valid-type]
    bandwidth: quantity("bit/s", minimum=1.0)  # type: ignore[valid-type]


class TechnologyFile(_Model):
    """Transistor, wire and ADC-fit numbers of one node."""

    name: str
    description: str = ""
    transistor: Literal["planar", "finfet"]
    node: quantity("m", minimum=1e-9)  # type: ignore[valid-type]
    vdd: quantity("V", minimum=0.1)  # type: ignore[valid-type]
    c_gate: quantity("F/m")  # type: ignore[valid-type]
    resistance_factor: quantity("1")  # type: ignore[valid-type]
    i_on_n: quantity("A/m")  # type: ignore[valid-type]
    i_on_p: quantity("A/m")  # type: ignore[valid-type]
    i_off_n: quantity("A/m")  # type: ignore[valid-type]
    i_off_p: quantity("A/m")  # type: ignore[valid-type]
    c_junction_area: quantity("F/m2")  # type: ignore[valid-type]
    c_junction_side: quantity("F/m")  # type: ignore[valid-type]
    c_junction_channel: quantity("F/m")  # type: ignore[valid-type]
    c_fin: quantity("F")  # type: ignore[valid-type]
    w_fin_effective: quantity("m")  # type: ignore[valid-type]
    w_fin: quantity("m")  # type: ignore[valid-type]
    fin_pitch: quantity("m")  # type: ignore[valid-type]
    max_fins: quantity("1")  # type: ignore[valid-type]
    c_drain_fin: quantity("F")  # type: ignore[valid-type]
    cell_height: quantity("1")  # type: ignore[valid-type]
    gate_pitch: quantity("1")  # type: ignore[valid-type]
    gate_length: quantity("1")  # type: ignore[valid-type]
    pn_gap: quantity("1")  # type: ignore[valid-type]
    fin_edge: quantity("1")  # type: ignore[valid-type]
    metal3_pitch: quantity("1")  # type: ignore[valid-type]
    sram_cell_height: quantity("1")  # type: ignore[valid-type]
    sram_cell_width: quantity("1")  # type: ignore[valid-type]
    enlarged_inverter_fins: quantity("1", length=2)  # type: ignore[valid-type]
    enlarged_nor2_fins: quantity("1", length=2)  # type: ignore[valid-type]
    precharger_fins: quantity("1", length=2)  # type: ignore[valid-type]
    mux_driver_size: quantity("1")  # type: ignore[valid-type]
    wordline_gate_size: quantity("1")  # type: ignore[valid-type]
    transmission_gate_ratio: quantity("1")  # type: ignore[valid-type]
    metal0_width: quantity("m")  # type: ignore[valid-type]
    metal0_aspect: quantity("1")  # type: ignore[valid-type]
    metal0_resistivity: quantity("ohm*m")  # type: ignore[valid-type]
    metal1_width: quantity("m")  # type: ignore[valid-type]
    metal1_aspect: quantity("1")  # type: ignore[valid-type]
    metal1_resistivity: quantity("ohm*m")  # type: ignore[valid-type]
    c_wire: quantity("F/m")  # type: ignore[valid-type]
    wire_resistance: quantity("ohm/m", length=3)  # type: ignore[valid-type]
    v_read: quantity("V")  # type: ignore[valid-type]
    flash_time_breaks: quantity("ohm", length=2)  # type: ignore[valid-type]
    flash_time_const: quantity("s", length=3)  # type: ignore[valid-type]
    flash_time_linear: quantity("s/ohm", length=3, minimum=None)  # type: ignore[valid-type]
    flash_time_log: quantity("s", length=3, minimum=None)  # type: ignore[valid-type]
    flash_time_c0: quantity("F")  # type: ignore[valid-type]
    flash_time_slope: quantity("s")  # type: ignore[valid-type]
    flash_time_onset: quantity("ohm")  # type: ignore[valid-type]
    flash_power_breaks: quantity("ohm", length=2)  # type: ignore[valid-type]
    flash_power_const: quantity("W", length=3)  # type: ignore[valid-type]
    flash_power_linear: quantity("W/ohm", length=3, minimum=None)  # type: ignore[valid-type]
    flash_power_log: quantity("W", length=3, minimum=None)  # type: ignore[valid-type]
    flash_power_inverse: quantity("W")  # type: ignore[valid-type]
    flash_power_exponent: quantity("1")  # type: ignore[valid-type]
    sar_power_per_bit: quantity("W")  # type: ignore[valid-type]
    sar_power_base: quantity("W")  # type: ignore[valid-type]
    sar_power_inverse: quantity("W")  # type: ignore[valid-type]
    sar_power_exponent: quantity("1")  # type: ignore[valid-type]


class AndrulisAdc(_Model):
    """Survey regression of Andrulis et al. 2024."""

    name: str
    description: str = ""
    fom_high: quantity("1", length=2)  # type: ignore[valid-type]
    fom_low: quantity("1", length=2)  # type: ignore[valid-type]
    energy: quantity("1", length=4)  # type: ignore[valid-type]
    area: quantity("1", length=4)  # type: ignore[valid-type]
    frequency: quantity("Hz", minimum=1.0)  # type: ignore[valid-type]


class ZigzagAdc(_Model):
    """Fit of ZigZag-IMC."""

    name: str
    description: str = ""
    area: quantity("1", length=2)  # type: ignore[valid-type]
    time: quantity("s", length=2)  # type: ignore[valid-type]
    energy: quantity("F", length=2)  # type: ignore[valid-type]


class IsaacAdc(_Model):
    """The one converter of ISAAC."""

    name: str
    description: str = ""
    bits: quantity("bit")  # type: ignore[valid-type]
    energy: quantity("J")  # type: ignore[valid-type]
    area: quantity("m2")  # type: ignore[valid-type]
    frequency: quantity("Hz", minimum=1.0)  # type: ignore[valid-type]


class SigmaProfile(_Model):
    """How the programming spread depends on the conductance."""

    kind: Literal["uniform", "weight", "level"] = Field(
        description="the same everywhere; larger in the middle of the range of weights (all cells "
        "of a weight alike: NeFT); or larger at the middle levels of each cell"
    )
    factor: quantity("1", minimum=1.0) = Field(  # type: ignore[valid-type]
        description="sigma in the middle over that at the ends; 1 for uniform"
    )

    @model_validator(mode="after")
    def _uniform_has_no_factor(self) -> SigmaProfile:
        if self.kind == "uniform" and self.factor.si != 1:
            raise ValueError(
                f"factor = {self.factor.si:g} does nothing for kind = uniform; allowed: 1, or set "
                "sigma_profile.kind to weight or level"
            )
        return self


#: Most pulses of a write-verify: twenty times what the presets consider. The closed forms tabulate
#: every pulse of every kind of cell, and the sampler goes through them one by one.
MAX_PULSES = 10_000


class WriteVerify(_Model):
    """The pulse-and-read loop that brings a cell to its level."""

    model: Literal["redraw", "incremental"]
    tolerance: quantity("1")  # type: ignore[valid-type]
    max_pulses: quantity("1", minimum=1.0)  # type: ignore[valid-type]
    step_gain: quantity("1", maximum=2.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="incremental: share of the error that a further pulse removes; above 2 the "
        "error would grow",
    )
    step_sigma: quantity("1", maximum=1.0) | None = None  # type: ignore[valid-type]

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: Quantity) -> Quantity:
        if tolerance.si <= 0:
            raise ValueError(
                f"{tolerance.si:g}: no cell is ever exactly at its level; allowed: above 0"
            )
        return tolerance

    @field_validator("max_pulses")
    @classmethod
    def _countable(cls, limit: Quantity) -> Quantity:
        if not limit.si.is_integer() or limit.si > MAX_PULSES:
            raise ValueError(
                f"{limit.si:g}; allowed: a whole number from 1 to {MAX_PULSES}, every pulse being "
                "worked out"
            )
        return limit


class DeviceFile(_Model):
    """One memory device: resistances for reading, pulses for writing, spread for accuracy."""

    name: str
    memory: Literal["sram", "rram", "fefet", "pcm", "mram"]
    description: str = ""
    max_bits_per_cell: quantity("1", minimum=1.0)  # type: ignore[valid-type]
    r_on: quantity("ohm", minimum=1.0) | None  # type: ignore[valid-type]
    r_off: quantity("ohm", minimum=1.0) | None  # type: ignore[valid-type]
    access: Literal["1t1r", "none"]
    v_write: quantity("V") | None  # type: ignore[valid-type]
    pulse_width: quantity("s")  # type: ignore[valid-type]
    write_energy: quantity("J")  # type: ignore[valid-type]
    verify_read_time: quantity("s")  # type: ignore[valid-type]
    verify_read_energy: quantity("J")  # type: ignore[valid-type]
    spread_reference: Literal["range", "maximum"] = Field(
        default="range",
        description="what sigma, tolerance, step_sigma and the read noises are relative to: "
        "g_on - g_off, which is what a weight spans, or g_on",
    )
    sigma: quantity("1", maximum=1.0)  # type: ignore[valid-type]
    sigma_profile: SigmaProfile
    device_to_device_share: quantity("1") | None = Field(  # type: ignore[valid-type]
        default=None,
        description="share of the variance sigma^2 that belongs to the cell and comes back each "
        "time that it is programmed; the rest is new in every cycle",
    )
    write_verify: WriteVerify | None
    stuck_on_rate: quantity("1") | None = None  # type: ignore[valid-type]
    stuck_off_rate: quantity("1") | None = None  # type: ignore[valid-type]
    drift_start: quantity("s") | None = None  # type: ignore[valid-type]
    drift_nu: quantity("1") | None = None  # type: ignore[valid-type]
    drift_nu_sigma: quantity("1") | None = None  # type: ignore[valid-type]
    read_noise_sigma: quantity("1", maximum=1.0) | None = None  # type: ignore[valid-type]
    verify_noise_sigma: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="noise of one verify read, soon after its pulse; null: read_noise_sigma",
    )
    retention_time: quantity("s") | None = None  # type: ignore[valid-type]
    endurance_cycles: quantity("1") | None = None  # type: ignore[valid-type]

    @property
    def range_factor(self) -> float:
        """What turns a spread of :attr:`spread_reference` into one of ``g_on - g_off``.

        ``g_on / (g_on - g_off) = 1 / (1 - r_on / r_off)`` for ``maximum``, else 1.
        """
        if self.spread_reference == "range" or self.r_on is None or self.r_off is None:
            return 1.0
        return float(1 / (1 - self.r_on.si / self.r_off.si))

    def of_range(self, spread: Quantity | None) -> float:
        """Return a spread relative to ``g_on - g_off``; 0 for what the device does not have.

        Args:
            spread: sigma, tolerance, step_sigma or read_noise_sigma of this device.
        """
        return 0.0 if spread is None else spread.si * self.range_factor

    @property
    def verify_noise_of_range(self) -> float:
        """Spread of one verify read, relative to ``g_on - g_off``."""
        own = self.verify_noise_sigma
        return self.of_range(self.read_noise_sigma if own is None else own)

    @model_validator(mode="after")
    def _shares_at_most_one(self) -> DeviceFile:
        share = self.device_to_device_share
        if share is not None and share.si > 1:
            raise ValueError(f"device_to_device_share = {share.si:g}; allowed: 0 to 1")
        rates = [rate.si for rate in (self.stuck_on_rate, self.stuck_off_rate) if rate is not None]
        if sum(rates) > 1:
            raise ValueError(f"stuck_on_rate + stuck_off_rate = {sum(rates):g}; allowed: at most 1")
        return self

    @model_validator(mode="after")
    def _resistances_ordered(self) -> DeviceFile:
        if self.memory == "sram":
            return self
        if self.r_on is None or self.r_off is None:
            raise ValueError(f"r_on and r_off are required for memory = {self.memory}")
        if self.r_on.si >= self.r_off.si:
            raise ValueError(
                f"r_on = {self.r_on.si:g} ohm is not below r_off = {self.r_off.si:g} ohm"
            )
        return self

    @model_validator(mode="after")
    def _spread_within_the_range(self) -> DeviceFile:
        if self.of_range(self.sigma) > 1:
            raise ValueError(
                f"sigma = {self.sigma.si:g} of the maximum conductance is "
                f"{self.of_range(self.sigma):.3g} of the range g_on - g_off; allowed: 0 to "
                f"{1 / self.range_factor:.3g} at this r_on and r_off"
            )
        return self


__all__ = ["Chip", "DeviceFile", "Quantity", "TechnologyFile", "Tsb"]
