"""Technology constants as SI tensors, one per node or one per design of a batch."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.config.schema.technology import TechnologyFile

#: Constants with a last axis of their own, and its length is that of the YAML list.
LIST_FIELDS = frozenset(
    {
        "enlarged_inverter_fins",
        "enlarged_nor2_fins",
        "precharger_fins",
        "wire_resistance_ohm_per_m",
        "flash_time_breaks_ohm",
        "flash_time_const_s",
        "flash_time_linear_s_per_ohm",
        "flash_time_log_s",
        "flash_power_breaks_ohm",
        "flash_power_const_W",
        "flash_power_linear_W_per_ohm",
        "flash_power_log_W",
    }
)

_UNIT_SUFFIX = re.compile(
    r"_(m|V|F|F_per_m|F_per_m2|A_per_m|ohm|ohm_m|ohm_per_m|s|W|s_per_ohm|W_per_ohm)$"
)


@dataclass(frozen=True, eq=False)
class Technology:
    """Numbers of one node (shape ``()``) or of many (``*batch``); lists add a last axis.

    Names are those of :class:`archsim.config.schema.technology.TechnologyFile` plus the SI unit;
    the sources stand beside the values in ``configs/technology``. Lengths without a unit are in F.
    """

    is_finfet: Tensor
    node_m: Tensor
    vdd_V: Tensor
    tabulated_vdd_V: Tensor
    v_threshold_V: Tensor
    alpha: Tensor
    dibl: Tensor
    subthreshold_swing_V: Tensor
    c_gate_F_per_m: Tensor
    resistance_factor: Tensor
    i_on_n_A_per_m: Tensor
    i_on_p_A_per_m: Tensor
    i_off_n_A_per_m: Tensor
    i_off_p_A_per_m: Tensor
    c_junction_area_F_per_m2: Tensor
    c_junction_side_F_per_m: Tensor
    c_junction_channel_F_per_m: Tensor
    c_fin_F: Tensor
    w_fin_effective_m: Tensor
    w_fin_m: Tensor
    fin_pitch_m: Tensor
    max_fins: Tensor
    c_drain_fin_F: Tensor
    cell_height: Tensor
    gate_pitch: Tensor
    gate_length: Tensor
    pn_gap: Tensor
    fin_edge: Tensor
    metal3_pitch: Tensor
    sram_cell_height: Tensor
    sram_cell_width: Tensor
    enlarged_inverter_fins: Tensor
    enlarged_nor2_fins: Tensor
    precharger_fins: Tensor
    mux_driver_size: Tensor
    wordline_gate_size: Tensor
    transmission_gate_ratio: Tensor
    metal0_width_m: Tensor
    metal0_aspect: Tensor
    metal0_resistivity_ohm_m: Tensor
    metal1_width_m: Tensor
    metal1_aspect: Tensor
    metal1_resistivity_ohm_m: Tensor
    c_wire_F_per_m: Tensor
    wire_resistance_ohm_per_m: Tensor
    v_read_V: Tensor
    flash_time_breaks_ohm: Tensor
    flash_time_const_s: Tensor
    flash_time_linear_s_per_ohm: Tensor
    flash_time_log_s: Tensor
    flash_time_c0_F: Tensor
    flash_time_slope_s: Tensor
    flash_time_onset_ohm: Tensor
    flash_power_breaks_ohm: Tensor
    flash_power_const_W: Tensor
    flash_power_linear_W_per_ohm: Tensor
    flash_power_log_W: Tensor
    flash_power_inverse_W: Tensor
    flash_power_exponent: Tensor
    sar_power_per_bit_W: Tensor
    sar_power_base_W: Tensor
    sar_power_inverse_W: Tensor
    sar_power_exponent: Tensor

    @classmethod
    def constant_names(cls) -> tuple[str, ...]:
        """Return the names of all constants; the rest are flags."""
        return tuple(e.name for e in dataclasses.fields(cls) if e.name != "is_finfet")

    @staticmethod
    def key_of(name: str) -> str:
        """Return the YAML key of a constant: its name without the unit."""
        return _UNIT_SUFFIX.sub("", name)

    @classmethod
    def from_file(cls, file: TechnologyFile) -> Technology:
        """Convert one checked technology file to tensors of shape ``()`` (lists: ``(n,)``)."""
        values: dict[str, Tensor] = {"is_finfet": torch.tensor(file.transistor == "finfet")}
        for entry in dataclasses.fields(cls):
            if entry.name in values:
                continue
            quantity = getattr(file, _UNIT_SUFFIX.sub("", entry.name))
            numbers = quantity.si_values
            is_list = isinstance(quantity.value, tuple)
            values[entry.name] = torch.tensor(
                numbers if is_list else numbers[0], dtype=torch.float64
            )
        return cls(**values)

    @classmethod
    def stack(cls, members: Sequence[Technology]) -> Technology:
        """Stack technologies of shape ``()`` along a new batch axis."""
        return cls(
            **{
                entry.name: torch.stack([getattr(member, entry.name) for member in members])
                for entry in dataclasses.fields(cls)
            }
        )

    def gather(self, code: Tensor) -> Technology:
        """Pick entries of a stacked technology by integer ``code`` of shape ``*batch``."""
        return Technology(
            **{entry.name: getattr(self, entry.name)[code] for entry in dataclasses.fields(self)}
        )

    def index(self, position: int | slice | Tensor) -> Technology:
        """Take one entry, or some, of a one-dimensional batch; itself if nothing varies."""
        picked: dict[str, Tensor] = {}
        for entry in dataclasses.fields(self):
            tensor = getattr(self, entry.name)
            if tensor.dim() > (entry.name in LIST_FIELDS):
                picked[entry.name] = tensor[position]
        return dataclasses.replace(self, **picked) if picked else self

    def to(self, device: torch.device) -> Technology:
        """Return a copy whose tensors lie on ``device``; itself if they do."""
        if self.node_m.device == device:
            return self
        values = {e.name: getattr(self, e.name).to(device) for e in dataclasses.fields(self)}
        return Technology(**values)

    def replace(self, **changes: Tensor) -> Technology:
        """Return a copy with some constants replaced."""
        return dataclasses.replace(self, **changes)

    @property
    def drive(self) -> Tensor:
        """On-current over that at the tabulated supply, ((V - Vth) / (V0 - Vth))^alpha.

        The alpha-power law: Sakurai and Newton, JSSC 1990, doi:10.1109/4.52187.
        """
        above = (self.vdd_V - self.v_threshold_V) / (self.tabulated_vdd_V - self.v_threshold_V)
        return above**self.alpha

    @property
    def slowness(self) -> Tensor:
        """Delay over that at the tabulated supply, V / V0 over :attr:`drive`."""
        return self.vdd_V / self.tabulated_vdd_V / self.drive

    @property
    def _leakage(self) -> Tensor:
        """Off-current over that at the tabulated supply: the threshold falls by DIBL per volt.

        Roy, Mukhopadhyay and Mahmoodi-Meimand, Proc. IEEE 2003, doi:10.1109/JPROC.2002.808156.
        """
        volts = self.dibl * (self.vdd_V - self.tabulated_vdd_V)
        return torch.exp(math.log(10) * volts / self.subthreshold_swing_V)

    @property
    def leakage_n_A_per_m(self) -> Tensor:
        """Off-current of an n device at the supply."""
        return self.i_off_n_A_per_m * self._leakage

    @property
    def leakage_p_A_per_m(self) -> Tensor:
        """Off-current of a p device at the supply."""
        return self.i_off_p_A_per_m * self._leakage

    @property
    def r_pn(self) -> Tensor:
        """Width of a p device over that of the n device that drives as well."""
        return self.i_on_n_A_per_m / self.i_on_p_A_per_m

    @property
    def pitch_m(self) -> Tensor:
        """Contacted gate pitch, m."""
        return self.gate_pitch * self.node_m

    @property
    def cell_height_m(self) -> Tensor:
        """Height of a standard cell, m."""
        return self.cell_height * self.node_m

    @property
    def metal0_ohm_per_m(self) -> Tensor:
        """Resistance per length of a metal-0 wire: resistivity over width x thickness."""
        return self.metal0_resistivity_ohm_m / (self.metal0_width_m**2 * self.metal0_aspect)

    @property
    def metal1_ohm_per_m(self) -> Tensor:
        """Resistance per length of a metal-1 wire: resistivity over width x thickness."""
        return self.metal1_resistivity_ohm_m / (self.metal1_width_m**2 * self.metal1_aspect)
