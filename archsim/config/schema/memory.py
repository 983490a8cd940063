"""What the constants of an on-chip memory may say: a closed form over capacity, width and node."""

from __future__ import annotations

from pydantic import Field

from archsim.config.schema.base import Model
from archsim.config.schema.name import Name
from archsim.config.sourced import quantity


class MemoryFile(Model):
    """A kind of compiled memory: switched capacitance per bit, time, area and leakage.

    The capacitance of a bit that is read is ``read_access / line * (bits / reference)^a +
    read_bit * (bits / reference)^b``, times ``(cell / reference_cell)^cell_exponent``.
    """

    name: Name
    description: str = Field(min_length=10, description="what it is and how it was calibrated")
    reference: quantity("bit", minimum=1.0) = Field(  # type: ignore[valid-type]
        description="capacity at which the constants hold"
    )
    reference_cell: quantity("m2") = Field(  # type: ignore[valid-type]
        description="6T bit cell of the node at which the constants hold"
    )
    cell_exponent: quantity("1") = Field(  # type: ignore[valid-type]
        description="of the 6T bit cell: how capacitance follows the node"
    )
    read_access: quantity("F") = Field(  # type: ignore[valid-type]
        description="switched once per access: decoder, word line, control"
    )
    read_access_exponent: quantity("1")  # type: ignore[valid-type]
    read_bit: quantity("F") = Field(  # type: ignore[valid-type]
        description="switched per bit of the line: bit line, sense amplifier, way out"
    )
    read_bit_exponent: quantity("1")  # type: ignore[valid-type]
    write_access: quantity("F")  # type: ignore[valid-type]
    write_access_exponent: quantity("1")  # type: ignore[valid-type]
    write_bit: quantity("F")  # type: ignore[valid-type]
    write_bit_exponent: quantity("1")  # type: ignore[valid-type]
    cell_area: quantity("1") = Field(  # type: ignore[valid-type]
        description="6T bit cells of area per bit"
    )
    line_area: quantity("1") = Field(  # type: ignore[valid-type]
        description="6T bit cells of area per bit, times line / sqrt(bits): the periphery"
    )
    access_delays: quantity("1") = Field(  # type: ignore[valid-type]
        description="access time at the reference capacity in gate delays of the node"
    )
    access_exponent: quantity("1")  # type: ignore[valid-type]
    leakage_width: quantity("1") = Field(  # type: ignore[valid-type]
        description="width of n-channel transistor that leaks per bit, in F, periphery included"
    )
    port_height: quantity("1") = Field(  # type: ignore[valid-type]
        description="share by which a further port makes a cell higher"
    )
    port_width: quantity("1") = Field(  # type: ignore[valid-type]
        description="share by which a further port makes a cell wider"
    )
    retention: quantity("s", minimum=1e-9) | None = Field(  # type: ignore[valid-type]
        default=None, description="time within which every bit is refreshed; null for never"
    )
