"""What a chip preset may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archsim.config.choices import PricedGranularity, StoredEncoding
from archsim.config.priced_policies import PolicyName
from archsim.config.schema.base import WHOLE, About, Count, Fraction, Model
from archsim.config.schema.calibration import Activity, Calibration
from archsim.config.schema.name import Name
from archsim.config.schema.off_chip import OffChip
from archsim.config.schema.read import Adc, Crossbar, Read
from archsim.config.sourced import Quantity, quantity

_REGISTER_LIMIT = Quantity(
    value=4096.0,
    unit="bit",
    source="Andersson et al., Ultra low voltage synthesizable memories, TCAS-I 63, 2016 "
    "(infoscience.epfl.ch/record/221834): standard-cell memories up to 4 to 6 kbit, SRAM above",
    range=(1024.0, 6144.0),
)

#: Even, since a tile has two PEs along each side.
TileSide = Annotated[int, Field(strict=True, ge=2, le=64, multiple_of=2)]


class Precision(Model):
    """Number formats of weights, inputs and cells."""

    weight_bits: int = Field(strict=True, ge=1, le=16, description="bits per weight (M)")
    input_bits: int = Field(strict=True, ge=1, le=16, description="bits per input, bit-serial")
    bits_per_cell: int = Field(strict=True, ge=1, le=8, description="bits per cell (K)")
    encoding: StoredEncoding = Field(
        description="offset code in one column; or a positive and a negative column (x 2 columns): "
        "the positive columns of a weight first (differential), or each negative one beside its "
        "positive one (separate-sign)"
    )
    pad_top_slice: bool = Field(
        default=False,
        description="allow bits_per_cell that does not divide weight_bits: the top cell keeps "
        "unused levels",
    )


class Hierarchy(Model):
    """Subarray, PE and tile: how the compiler sizes and fills them."""

    kernel_per_pe: bool = Field(
        description="give each kernel position of the most common kernel its own PE (Peng et al., "
        "ISCAS 2019), so that inputs are reused along the row of PEs"
    )
    duplication: Literal["none", "fill", "balance"] = Field(
        description="weight duplication of small layers: none; fill the tile that is there anyway; "
        "or fill and add tiles to even out the pipeline"
    )
    tile: Literal["search", "auto"] | TileSide = Field(
        default="search",
        description="crossbars along a side of a tile of 2 x 2 PEs, an even number (of their "
        "longer sides, where they are not square); auto: the one that makes area x energy x "
        "latency smallest; search: the rule of DNN+NeuroSim, best utilisation of powers of two "
        "below the widest layer, which jumps with its width",
    )
    speed_up_degree: Count = Field(description="most copies per axis that `balance` may ask for")
    copies: Count = Field(default=1, description="multiplies the tiles of every backbone layer")
    linear_copies: Annotated[Literal[1, 2, 4, 8], WHOLE] = Field(
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


class Timing(Model):
    """What counts as time."""

    overlap: Literal["none", "buffers", "rows"] = Field(
        default="none",
        description="none: reading, adding up, moving and digital work follow one another; "
        "buffers: double buffers, so that they work on successive vectors at once; rows: also "
        "layers on successive rows of a map, of which the global buffer holds the lines needed",
    )

    pipeline: bool = Field(description="layers work on successive images at once")
    count_padding: bool = Field(
        description="count the output positions that touch zero padding; false is an artefact"
    )
    copy_rule: Literal["tiles", "arrays"] = Field(
        description="whole-tile copies of a layer share its vectors in all that happens in a tile; "
        "`arrays` is the artefact that only the subarrays and PEs get faster"
    )
    read_cycle: quantity("s", maximum=1e-3) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="cost_model silicon: time of a conversion of all ADCs of a crossbar, where the "
        "designer knows it; null for the formula",
    )
    clock: quantity("s", minimum=1e-12, maximum=1e-3) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="cost_model silicon: clock of what is around the crossbars, whose reads take a "
        "whole number of them; null for one clock per conversion",
    )
    clock_floor: quantity("s", maximum=1e-3) = Field(  # type: ignore[valid-type]
        description="artefact: delays are counted in cycles of at least this period"
    )


class Interconnect(Model):
    """Wires between the tiles, and inside a tile."""

    kind: Literal["xy-bus", "h-tree"] = Field(description="global interconnect")
    max_width: quantity("bit", minimum=1.0, maximum=1e6) = Field(  # type: ignore[valid-type]
        description="bits that the global bus moves at once; see width_rule"
    )
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
    toggle_in: quantity("1", maximum=1.0) = Field(  # type: ignore[valid-type]
        description="share of the wires that switch per bit of an input moved, in PE, tile and chip"
    )
    toggle_out: quantity("1", maximum=1.0) = Field(  # type: ignore[valid-type]
        description="share of the wires that switch per bit of an output moved, in PE, tile and "
        "chip"
    )
    fold: quantity("1", minimum=1.0, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="layers in which the wires of the global bus or tree are stacked; divides "
        "their area"
    )
    tile_fold: quantity("1", minimum=1.0, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="the same, for the H-tree inside a tile"
    )
    delay_tolerance: quantity("1", maximum=10.0) = Field(  # type: ignore[valid-type]
        description="share by which wires may be slower than the fastest ones, for smaller "
        "repeaters and less energy"
    )


class Buffers(Model):
    """On-chip memories."""

    kind: Literal["register-file", "sram", "sram-macro", "edram-macro"] = Field(
        description="flip-flops behind a decoder, or SRAM arrays, both drawn gate by gate; or "
        "compiled memories in closed form (configs/memory), small ones as register files"
    )
    register_limit: quantity("bit", maximum=1e9) = Field(  # type: ignore[valid-type]
        default=_REGISTER_LIMIT,
        description="kinds sram-macro and edram-macro: a core of no more bits is a register file",
    )
    ports: int = Field(
        default=1,
        strict=True,
        ge=1,
        le=4,
        description="kind sram-macro: read/write ports of a cell, each of which moves a line in a "
        "cycle",
    )
    port_rule: Literal["capacity", "cores"] = Field(
        default="capacity",
        description="lines that a memory moves in a cycle: in proportion to what it holds, at "
        "least one; `cores` is the artefact of one for each whole core, a sawtooth in its size",
    )
    # One core is one macro: 2^30 bit is more than a whole die of SRAM; lines are as wide as buses.
    global_core: quantity("bit", minimum=1.0, maximum=2**30) = Field(  # type: ignore[valid-type]
        description="capacity of one bank of the global buffer; there are as many as it needs"
    )
    global_line: quantity("bit", minimum=1.0, maximum=2**16) = Field(  # type: ignore[valid-type]
        description="word of a bank of the global buffer: what one access moves"
    )
    tile_core: quantity("bit", minimum=1.0, maximum=2**30) = Field(  # type: ignore[valid-type]
        description="capacity of one bank of a tile buffer; there are as many as it needs"
    )
    tile_line: quantity("bit", minimum=1.0, maximum=2**16) = Field(  # type: ignore[valid-type]
        description="word of a bank of a tile buffer: what one access moves"
    )
    tile_banks: Count | None = Field(
        default=None,
        description="lines that each tile buffer moves in a cycle, from as many banks at least; "
        "null: by port_rule, and one wide line in a small buffer",
    )
    global_banks: Count | None = Field(
        default=None,
        description="lines that the global buffer moves in a cycle, from as many banks at least; "
        "null: by port_rule",
    )


class Accumulation(Model):
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


class Area(Model):
    """What counts as area."""

    white_space: Literal["none", "bounding_box"] = Field(
        description="subarray area is the sum of its blocks, or the rectangle around them"
    )


class Programming(Model):
    """How the weights get into the cells."""

    policy: PolicyName = Field(
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
    granularity: PricedGranularity = Field(
        default="weight",
        description="policy fraction: single weights anywhere, or whole rows of a crossbar",
    )
    parallel_subarrays: Count = Field(
        description="subarrays programmed at the same time, at most; see max_power"
    )
    # 10 kW: a whole wafer.
    max_power: quantity("W", maximum=1e4) | None = Field(  # type: ignore[valid-type]
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


class ChannelCorrection(Model):
    """Numbers of each output channel that a chip keeps in digital registers."""

    kind: Literal["none", "bias", "scale-and-bias", "scale", "layer-scale"] = Field(
        default="none",
        description="what is applied to every sum before the activation: nothing, a bias, or a "
        "scale and a bias (what digital corrections of a study need); a scale alone, of every "
        "output channel or one for each layer (what compensations of drift need)",
    )
    layers: Literal["linear", "all"] = Field(
        default="linear", description="which layers have it; never the shared block"
    )
    bits: int = Field(
        default=8, strict=True, ge=2, le=16, description="of each number in its register"
    )


class DigitalUnit(Model):
    """Multiply-adders for what no crossbar computes: attention, norms, softmax, activations."""

    mac_units: Count = Field(
        default=1024,
        description="multiply-adders of the unit, a square array; a chip whose network has no work "
        "for it has none (assumed; 256 to 4096 are usual)",
    )
    accumulator_bits: int = Field(
        default=32, strict=True, ge=8, le=64, description="width of a sum of products"
    )


class Chip(Model):
    """One accelerator, from cells to chip."""

    name: Name
    description: About = ""
    cost_model: Literal["neurosim", "silicon"] = Field(
        default="neurosim",
        description="what prices a read of a crossbar: circuits drawn gate by gate as DNN+NeuroSim "
        "has them, or a macro as published chips confirm it (configs/silicon); never both",
    )
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
    correction: ChannelCorrection = ChannelCorrection()
    digital: DigitalUnit = DigitalUnit()
