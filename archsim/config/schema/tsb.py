"""What a preset of the Tiny Shared Block may say."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from archsim.config.schema.base import Count, Model
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


class Tsb(Model):
    """The Tiny Shared Block: a c x c 1x1 convolution shared by all layers (arXiv 2406.06544)."""

    name: Name
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
