"""What a preset of the Tiny Shared Block may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from archsim.config.schema.base import About, Model
from archsim.config.schema.name import Name
from archsim.errors import Code, Problem, RejectedValueError


def _insertion(rule: str) -> str:
    """A rule of archsim.network.insertion; which names there are, the network will say."""
    head, colon, names = rule.partition(":")
    if rule in ("default", "convolution", "residual_block"):
        return rule
    if head == "pattern" and colon and all(name.strip() for name in names.split(",")):
        return rule
    allowed = "default, convolution, residual_block, or pattern:NAMES"
    said = f"unknown; allowed: {allowed}, e.g. pattern:blocks.*.mlp.fc2"
    raise RejectedValueError(Problem(said, Code.UNKNOWN_NAME, allowed=allowed))


#: Where shared blocks go.
Insertion = Annotated[str, Field(strict=True), AfterValidator(_insertion)]


#: Most copies that can be asked for: far more than any chip has room for.
_MOST_COPIES = 1_000_000


def _copies(value: object) -> object:
    """Refuse what is no number of copies, in one line."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    if value in (None, "fill", "auto") or (is_count and 1 <= int(str(value)) <= _MOST_COPIES):
        return value
    allowed = f"1 to {_MOST_COPIES}, fill, auto or null"
    code = Code.OUT_OF_RANGE if is_count else Code.UNKNOWN_NAME
    raise RejectedValueError(
        Problem.of(code, value=value, problem="no number of copies", allowed=allowed)
    )


#: How many blocks there are in place of one.
Copies = Annotated[int | Literal["fill", "auto"] | None, BeforeValidator(_copies)]
#: What a planned number of copies may make small: metrics of a design without their unit.
Objective = Literal["edp", "edp_period", "energy", "latency", "period"]


class Tsb(Model):
    """The Tiny Shared Block: a c x c 1x1 convolution shared by all layers (arXiv 2406.06544)."""

    name: Name
    description: About = ""
    channels: int = Field(strict=True, ge=1, le=4096, description="c: channels per group")
    depth: int = Field(default=1, strict=True, ge=1, le=4, description="1x1 layers in the block")
    insertion: Insertion = Field(
        default="default",
        description="after every convolution, or after every residual block; or by name: "
        "pattern:blocks.*.mlp.fc2",
    )
    copies: Copies = Field(
        default=None,
        description="blocks that share the work of one: a number, first on the diagonal of a "
        "crossbar, then in the subarrays of the tile, then in further tiles, rounded up to what "
        "fills rows of these; fill: as many as the tile that is there anyway holds; auto: the "
        "number with the least `objective` within `most_area`; null: common one, separate as "
        "hierarchy.duplication copies backbone layers",
    )
    objective: Objective = Field(
        default="edp", description="copies auto: what is made as small as it can be"
    )
    most_area: float = Field(
        default=0.1,
        ge=0,
        le=100,
        description="copies auto: area that copies may add, as a share of the chip's with one "
        "copy of each block",
    )
    per_group: bool = Field(
        default=True, description="separate: one crossbar per channel group, else one per layer"
    )
