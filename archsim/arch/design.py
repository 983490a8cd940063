"""One design point or a million: every parameter of a chip as an SI tensor.

``DesignBatch`` is the only thing that the cost engine and the mapping compiler know about a chip.
Each field names the configuration key that it comes from, so that overrides, sweeps,
sensitivities and reports speak of the same parameters. Adding a parameter is one line here and one
in ``archsim.config.schema``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from archsim.arch.field import names as _names
from archsim.arch.field import parameter as _parameter
from archsim.arch.off_chip_settings import AbstractOffChipSettings
from archsim.arch.parameters import Parameter, ParameterTable, joined
from archsim.arch.silicon_settings import AbstractSiliconSettings
from archsim.arch.technology import Technology
from archsim.arch.write_settings import AbstractWriteSettings
from archsim.config.choices import PLACEMENTS
from archsim.config.encodings import STORED_ENCODINGS
from archsim.config.resolve import Resolved
from archsim.config.schema.device import relative_to_range
from archsim.device.level_table import LevelTable, one_table
from archsim.errors import Code, ConfigError
from archsim.shapes import broadcast_shapes

#: Most layers that the policy last-layers may name: the last ones are never merged.
MAX_LAST_LAYERS = 4
#: What stands for words in ``DesignBatch.tsb_copies``, and for null (at most this).
FILL, AUTO, LIKE_BACKBONE = 0.0, -1.0, -2.0
#: What stands for words in ``DesignBatch.tile_arrays``.
TILE_SEARCH, TILE_AUTO = 0.0, -1.0


ADC_KINDS = _names("chip.adc.kind")
#: The circuit model first; the others replace it (archsim.cost.component.adc_models).
ADC_MODELS = _names("chip.adc.model")
SIGNED_INPUTS = _names("chip.read.signed_inputs")
OFFSET_SUBTRACTIONS = _names("chip.read.offset_subtraction")
MEMORIES = _names("device.memory")
#: Cells of each slice, by code of the encoding.
_SIDES = tuple(float(encoding.sides) for encoding in STORED_ENCODINGS)
#: Register files first, circuits before closed forms (archsim.cost.component.buffer).
BUFFER_KINDS = _names("chip.buffers.kind")
#: What becomes of a network that needs more tiles than there are.
WHEN_FULL = _names("chip.off_chip.when_full")
WRITE_MODELS = _names("device.write_verify.model")
SIGMA_PROFILES = _names("device.sigma_profile.kind")
#: Weight duplication of small layers.
DUPLICATIONS = _names("chip.hierarchy.duplication")
#: What works at the same time within an image.
OVERLAPS = _names("chip.timing.overlap")
#: Digital corrections after the analog sums, and the layers that have them.
CHANNEL_CORRECTIONS = _names("chip.correction.kind")
CORRECTED_LAYERS = _names("chip.correction.layers")


@dataclass(frozen=True, eq=False)
class DesignBatch(AbstractWriteSettings, AbstractOffChipSettings, AbstractSiliconSettings):
    """All parameters of one design (shape ``()``) or of many (``*batch``, broadcastable).

    Numbers, also counts, are float64; choices are int64 codes into what the schema allows;
    switches are bool. What the silicon cost model alone reads, what is outside of the chip and what
    writing does, is in the base classes.
    """

    placement: Tensor = _parameter("design", "choice")
    # number formats
    weight_bits: Tensor = _parameter("chip.precision.weight_bits", "integer")
    input_bits: Tensor = _parameter("chip.precision.input_bits", "integer")
    bits_per_cell: Tensor = _parameter("chip.precision.bits_per_cell", "integer")
    encoding: Tensor = _parameter("chip.precision.encoding", "choice")
    # crossbar and read-out
    rows: Tensor = _parameter("chip.crossbar.rows", "integer")
    mux_ratio: Tensor = _parameter("chip.crossbar.mux_ratio", "integer")
    adc_kind: Tensor = _parameter("chip.adc.kind", "choice")
    adc_bits: Tensor = _parameter("chip.adc.bits", "integer")
    adc_model: Tensor = _parameter("chip.adc.model", "choice")
    v_read_V: Tensor = _parameter("chip.read.voltage", fallback="technology.v_read")
    v_access_V: Tensor = _parameter("chip.read.access_voltage")
    access_ratio: Tensor = _parameter("chip.read.access_resistance_ratio")
    adc_empty_power_W: Tensor = _parameter("chip.read.adc_empty_power")
    signed_inputs: Tensor = _parameter("chip.read.signed_inputs", "choice")
    idle_sign_plane: Tensor = _parameter("chip.read.idle_sign_plane", "flag")
    rows_at_once: Tensor = _parameter("chip.read.rows_at_once", "integer", default=1024.0)
    offset_subtraction: Tensor = _parameter("chip.read.offset_subtraction", "choice")
    analog_pair: Tensor = _parameter("chip.read.pair", "flag")
    gates_unused: Tensor = _parameter("chip.read.gating", "flag")
    # device
    memory: Tensor = _parameter("device.memory", "choice")
    no_access: Tensor = _parameter("device.access", "flag")
    r_off_ohm: Tensor = _parameter("device.r_off", default=1.7e6)
    verify_read_time_s: Tensor = _parameter("device.verify_read_time")
    verify_read_energy_J: Tensor = _parameter("device.verify_read_energy")
    spread_of_maximum: Tensor = _parameter("device.spread_reference", "flag")
    sigma: Tensor = _parameter("device.sigma")
    sigma_profile: Tensor = _parameter("device.sigma_profile.kind", "choice")
    sigma_factor: Tensor = _parameter("device.sigma_profile.factor", default=1.0)
    device_share: Tensor = _parameter("device.device_to_device_share")
    write_model: Tensor = _parameter("device.write_verify.model", "choice")
    write_tolerance: Tensor = _parameter("device.write_verify.tolerance", default=1.0)
    max_pulses: Tensor = _parameter("device.write_verify.max_pulses", "integer", default=1.0)
    step_gain: Tensor = _parameter("device.write_verify.step_gain", default=1.0)
    step_sigma: Tensor = _parameter("device.write_verify.step_sigma")
    verify_noise: Tensor = _parameter(
        "device.verify_noise_sigma", fallback="device.read_noise_sigma"
    )
    stuck_on_rate: Tensor = _parameter("device.stuck_on_rate")
    stuck_off_rate: Tensor = _parameter("device.stuck_off_rate")
    write_policy: Tensor = _parameter(
        "chip.programming.policy", "choice", needs="device.write_verify"
    )
    last_layers: Tensor = _parameter("chip.programming.last_layers", "integer")
    rewritten_layers: Tensor = _parameter("chip.programming.rewritten_layers", "integer")
    verified_fraction: Tensor = _parameter("chip.programming.fraction")
    whole_rows: Tensor = _parameter("chip.programming.granularity", "flag")
    middle_share: Tensor = _parameter("chip.programming.middle_share")
    # hierarchy
    kernel_per_pe: Tensor = _parameter("chip.hierarchy.kernel_per_pe", "flag")
    duplication: Tensor = _parameter("chip.hierarchy.duplication", "choice")
    tile_arrays: Tensor = _parameter(
        "chip.hierarchy.tile", "integer", words=(("search", TILE_SEARCH), ("auto", TILE_AUTO))
    )
    speed_up_degree: Tensor = _parameter("chip.hierarchy.speed_up_degree", "integer")
    copies: Tensor = _parameter("chip.hierarchy.copies", "integer")
    linear_copies: Tensor = _parameter("chip.hierarchy.linear_copies", "integer", default=1.0)
    max_tiles: Tensor = _parameter("chip.hierarchy.max_tiles", "integer", default=1e12)
    size_check: Tensor = _parameter("chip.hierarchy.size_check", "flag")
    buffers_per_side: Tensor = _parameter("chip.hierarchy.buffer_rule", "flag")
    # time
    pipeline: Tensor = _parameter("chip.timing.pipeline", "flag")
    count_padding: Tensor = _parameter("chip.timing.count_padding", "flag")
    copies_only_arrays: Tensor = _parameter("chip.timing.copy_rule", "flag")
    overlap: Tensor = _parameter("chip.timing.overlap", "choice")
    clock_floor_s: Tensor = _parameter("chip.timing.clock_floor")
    # interconnect
    is_h_tree: Tensor = _parameter("chip.interconnect.kind", "flag")
    max_width_bit: Tensor = _parameter("chip.interconnect.max_width")
    width_halves: Tensor = _parameter("chip.interconnect.width_rule", "flag")
    whole_flight: Tensor = _parameter("chip.interconnect.transfer_rule", "flag")
    reference_lengths: Tensor = _parameter("chip.interconnect.length_rule", "flag")
    toggle_in: Tensor = _parameter("chip.interconnect.toggle_in")
    toggle_out: Tensor = _parameter("chip.interconnect.toggle_out")
    fold: Tensor = _parameter("chip.interconnect.fold")
    tile_fold: Tensor = _parameter("chip.interconnect.tile_fold")
    delay_tolerance: Tensor = _parameter("chip.interconnect.delay_tolerance")
    # memories
    buffer_kind: Tensor = _parameter("chip.buffers.kind", "choice")
    register_limit_bit: Tensor = _parameter("chip.buffers.register_limit")
    buffer_ports: Tensor = _parameter("chip.buffers.ports", "integer", default=1.0)
    ports_of_cores: Tensor = _parameter("chip.buffers.port_rule", "flag")
    global_core_bit: Tensor = _parameter("chip.buffers.global_core", "integer")
    global_line_bit: Tensor = _parameter("chip.buffers.global_line", "integer")
    global_banks: Tensor = _parameter("chip.buffers.global_banks", "integer")
    tile_banks: Tensor = _parameter("chip.buffers.tile_banks", "integer")
    tile_core_bit: Tensor = _parameter("chip.buffers.tile_core", "integer")
    tile_line_bit: Tensor = _parameter("chip.buffers.tile_line", "integer")
    # accumulation and area
    floor_results: Tensor = _parameter("chip.accumulation.result_rule", "flag")
    sqrt_width: Tensor = _parameter("chip.accumulation.width_rule", "flag")
    idle_pe_energy: Tensor = _parameter("chip.accumulation.idle_pe_energy", "flag")
    one_pe_arrays: Tensor = _parameter("chip.accumulation.array_rule", "flag")
    units_for_all: Tensor = _parameter("chip.accumulation.unit_rule", "flag")
    copies_in_tree: Tensor = _parameter("chip.accumulation.copies_in_tree", "flag")
    bounding_box: Tensor = _parameter("chip.area.white_space", "flag")
    # calibration
    shifter_wiring: Tensor = _parameter("chip.calibration.shifter_wiring")
    sensing_time: Tensor = _parameter("chip.calibration.sensing_time")
    register_activity: Tensor = _parameter("chip.calibration.register_activity")
    buffer_activity: Tensor = _parameter("chip.calibration.buffer_activity")
    adder_activity: Tensor = _parameter("chip.calibration.adder_activity")
    control_activity: Tensor = _parameter("chip.calibration.control_activity")
    adc_energy: Tensor = _parameter("chip.calibration.adc_energy")
    adc_area: Tensor = _parameter("chip.calibration.adc_area")
    adc_time: Tensor = _parameter("chip.calibration.adc_time")
    memory_energy: Tensor = _parameter("chip.calibration.memory_energy", default=1.0)
    memory_area: Tensor = _parameter("chip.calibration.memory_area", default=1.0)
    io_device_shifters: Tensor = _parameter("chip.calibration.io_device_shifters", "flag")
    # digital corrections
    correction: Tensor = _parameter("chip.correction.kind", "choice")
    corrected_layers: Tensor = _parameter("chip.correction.layers", "choice")
    correction_bits: Tensor = _parameter("chip.correction.bits", "integer")
    # digital unit
    mac_units: Tensor = _parameter("chip.digital.mac_units", "integer")
    accumulator_bits: Tensor = _parameter("chip.digital.accumulator_bits", "integer")
    # workload statistics
    first_input: Tensor = _parameter("chip.activity.first_layer", "choice")
    hidden_input: Tensor = _parameter("chip.activity.hidden", "choice")
    input_std: Tensor = _parameter("chip.activity.input_std")
    weight_std: Tensor = _parameter("chip.activity.weight_std")
    # shared block
    tsb_channels: Tensor = _parameter("tsb.channels", "integer")
    tsb_depth: Tensor = _parameter("tsb.depth", "integer")
    tsb_copies: Tensor = _parameter(
        "tsb.copies", "integer", words=(("fill", FILL), ("auto", AUTO)), default=LIKE_BACKBONE
    )
    tsb_per_group: Tensor = _parameter("tsb.per_group", "flag")
    #: Measured levels of the cells of all designs; None for equal steps.
    cell_levels: LevelTable | None = None

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """Return every parameter by field name, in declaration order."""
        return {
            entry.name: entry.metadata["parameter"]
            for entry in dataclasses.fields(cls)
            if "parameter" in entry.metadata
        }

    @classmethod
    def inputs(cls) -> dict[str, Parameter]:
        """Return every setting that a field depends on, by path."""
        parameters = cls.parameters().values()
        by_path = {parameter.path: parameter for parameter in parameters}
        fallbacks = [parameter.fallback for parameter in parameters if parameter.fallback]
        blocks = [parameter.needs for parameter in parameters if parameter.needs]
        by_path |= {path: Parameter(path, "continuous") for path in fallbacks}
        return by_path | {path: Parameter(path, "block") for path in blocks}

    @classmethod
    def from_resolved(cls, resolved: Resolved, placement: str = "none") -> DesignBatch:
        """Convert one checked configuration to a design of shape ``()``.

        Args:
            resolved: chip, technology, device and shared block.
            placement: of the shared block, one of :data:`PLACEMENTS`.

        Raises:
            ConfigError: unknown placement.
        """
        if placement not in PLACEMENTS:
            raise ConfigError.of(Code.UNKNOWN_NAME, "design", placement, allowed=PLACEMENTS)
        table = ParameterTable.of(resolved, placement, cls.inputs())
        levels = LevelTable.of_device(resolved.device)
        return cls.of(table, Technology.from_file(resolved.technology), levels)

    @classmethod
    def of(
        cls, table: ParameterTable, technology: Technology, cell_levels: LevelTable | None = None
    ) -> DesignBatch:
        """Return the designs of a table of settings: defaults in place of null.

        Args:
            table: with :meth:`inputs`, ``*batch``.
            technology: of all of them.
            cell_levels: measured levels of their cells.
        """
        known = cls.parameters().items()
        fields: dict[str, Any] = {name: parameter.field(table) for name, parameter in known}
        return cls(technology=technology, cell_levels=cell_levels, **fields)

    @classmethod
    def stack(cls, designs: Sequence[DesignBatch]) -> DesignBatch:
        """Stack designs of shape ``()`` into one batch ``(n,)``; equal fields keep shape ``()``.

        Raises:
            ConfigError: measured levels (``device.levels``) that differ between designs.
        """
        values: dict[str, Any] = {
            name: joined([getattr(design, name) for design in designs]) for name in cls.parameters()
        }
        values["cell_levels"] = one_table([design.cell_levels for design in designs])
        technologies = [design.technology for design in designs]
        values["technology"] = Technology(
            **{
                entry.name: joined([getattr(technology, entry.name) for technology in technologies])
                for entry in dataclasses.fields(Technology)
            }
        )
        return cls(**values)

    def replace(self, **changes: Any) -> DesignBatch:
        """Return a copy with fields replaced by tensors or numbers (broadcast against the rest)."""
        converted = {
            name: value
            if isinstance(value, (Tensor, Technology))
            else torch.as_tensor(value, dtype=getattr(self, name).dtype)
            for name, value in changes.items()
        }
        fields: dict[str, Any] = converted
        return dataclasses.replace(self, **fields)

    def updated(self, table: ParameterTable, changed: Collection[str]) -> DesignBatch:
        """Return a copy with the fields computed anew that depend on some settings.

        Args:
            table: all settings, ``*batch``.
            changed: paths of the settings that differ from those of this design.
        """
        known, users = self.parameters(), _users()
        names = {name for path in changed for name in users.get(path, ())}
        fields = {name: known[name].field(table) for name in known if name in names}
        return self.replace(**fields)

    @property
    def batch_shape(self) -> torch.Size:
        """Shape that all fields broadcast to."""
        shapes = [getattr(self, name).shape for name in self.parameters()]
        return broadcast_shapes(*shapes, self.technology.node_m.shape)

    def index(self, position: int | slice | Tensor) -> DesignBatch:
        """Take one design, or some, of a one-dimensional batch."""
        values: dict[str, Any] = {}
        for name in self.parameters():
            tensor = getattr(self, name)
            values[name] = tensor[position] if tensor.dim() else tensor
        return self.replace(technology=self.technology.index(position), **values)

    def to(self, device: torch.device) -> DesignBatch:
        """Return a copy whose tensors lie on ``device``; itself if they do."""
        if self.rows.device == device:
            return self
        values = {name: getattr(self, name).to(device) for name in self.parameters()}
        return self.replace(technology=self.technology.to(device), **values)

    @property
    def is_sram(self) -> Tensor:
        """True where the cell is SRAM; every other memory is a resistive cell."""
        return self.memory == MEMORIES.index("sram")

    @property
    def adc_levels(self) -> Tensor:
        """Number of ADC levels, 2^bits."""
        return torch.exp2(self.adc_bits)

    @property
    def cell_bits(self) -> Tensor:
        """Bits that one cell really stores: 1 for SRAM, else ``bits_per_cell``."""
        return torch.where(self.is_sram, torch.ones_like(self.bits_per_cell), self.bits_per_cell)

    @property
    def weight_slices(self) -> Tensor:
        """Cells per weight code, ceil(M / K)."""
        return torch.ceil(self.weight_bits / self.cell_bits)

    @property
    def range_factor(self) -> Tensor:
        """What turns a spread as configured into one relative to ``g_on - g_off``.

        A number where no design of the batch needs it: resistances that vary are then no reason to
        compute every design's distribution by itself.
        """
        if not bool(self.spread_of_maximum.any()):
            return self.sigma.new_ones(())
        of_range = relative_to_range(self.r_on_ohm, self.r_off_ohm)
        return torch.where(self.spread_of_maximum & ~self.is_sram, of_range, 1.0)

    @property
    def sides(self) -> Tensor:
        """Cells of each slice: 2 where positive and negative weights have one each."""
        return torch.tensor(_SIDES, dtype=torch.float64, device=self.encoding.device)[self.encoding]

    @property
    def columns_per_weight(self) -> Tensor:
        """Adjacent columns per weight: the slices of each side."""
        return self.weight_slices * self.sides


@cache
def _users() -> dict[str, tuple[str, ...]]:
    """Return the fields that depend on each setting, by its path."""
    known = DesignBatch.parameters().items()
    return {
        path: tuple(name for name, parameter in known if path in parameter.inputs)
        for path in DesignBatch.inputs()
    }
