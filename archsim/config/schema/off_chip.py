"""What a chip may say of what is outside of it, and a preset of an external memory or link."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from archsim.config.schema.base import About, Count, Model
from archsim.config.schema.name import Name
from archsim.config.sourced import quantity


class OffChip(Model):
    """What crosses the border of the chip, and what to do with a network that does not fit."""

    border: Literal["memory", "none"] = Field(
        default="memory",
        description="inputs of the network are read from the external memory and its outputs "
        "written there; `none` leaves both out, as DNN+NeuroSim does",
    )

    when_full: Literal["refuse", "reload", "multi-chip"] = Field(
        default="refuse",
        description="a network of more tiles than hierarchy.max_tiles: call it infeasible; write "
        "its weights again and again from an external memory; or spread it over several chips",
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


class OffChipFile(Model):
    """An external memory, or a link between chips.

    What is null is not known and not counted; ``map`` says so of a memory that it uses.
    """

    name: Name
    description: About = ""
    # Storage behind a network takes some nJ a bit; a wafer of links moves less than 1 Pbit/s.
    energy_per_bit: quantity("J/bit", maximum=1e-6) = Field(  # type: ignore[valid-type]
        description="of a bit that is read, or sent: columns, data path and interface"
    )
    bandwidth: quantity("bit/s", minimum=1.0, maximum=1e15) = Field(  # type: ignore[valid-type]
        description="bits moved per second, at best"
    )
    write_energy_per_bit: quantity("J/bit", maximum=1e-6) | None = Field(  # type: ignore[valid-type]
        default=None, description="memory: of a bit that is written; null for energy_per_bit"
    )
    row: quantity("bit", minimum=1.0, maximum=1e9) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="memory: bits that one activation opens; null for one row per transfer",
    )
    row_energy: quantity("J", maximum=1e-3) | None = Field(  # type: ignore[valid-type]
        default=None, description="memory: to activate a row and precharge it again"
    )
    latency: quantity("s", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="memory: from a command to the first bit of a closed row"
    )
    standby: quantity("W", maximum=1e4) | None = Field(  # type: ignore[valid-type]
        default=None, description="memory: powered down, refresh included"
    )
