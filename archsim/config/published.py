"""Published numbers that a study is compared with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archsim.config.choices import Placement
from archsim.config.schema.base import Model
from archsim.config.schema.tsb import Copies

#: Spread of one pulse, relative to the range of conductance.
Sigma = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Published(Model):
    """A published number that a study's table shows beside ours."""

    method: str = Field(description="of the study; noise-free (with sigma 0): the ideal network")
    sigma: Sigma = Field(
        description="spread of one pulse, relative to the range of conductance; 0: no noise"
    )
    accuracy: Annotated[float, Field(ge=0, le=1)] = Field(
        description="as a fraction of 1, not in %"
    )
    source: str = Field(min_length=1, description="citation: publication and place in it")


class PublishedClaim(Model):
    """A published statement about a method that is no accuracy; a report shows it beside ours."""

    quantity: Literal["gap_shrink", "verified_share", "macs_share"] = Field(
        description="the baseline's gap over the method's; write-verified weights over those of "
        "the network; multiply-adds of training over those of the baseline's backbone"
    )
    method: str = Field(description="of the study")
    sigma: Sigma | None = Field(default=None, description="null: every sigma of the study")
    number: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        description="what is published, as a plain ratio"
    )
    bound: Literal["=", ">", "<"] = Field(default="=", description="whether it is a bound")
    source: str = Field(min_length=1, description="citation: publication and place in it")
    note: str = Field(default="", description="differences to ours")


class PublishedCost(Model):
    """A published hardware number that a report shows beside that of the cost engine."""

    design: Placement = Field(
        description="where the shared block is placed: none, common, separate"
    )
    # Which metrics there are is known above the configuration: archsim.results.metrics.
    quantity: str = Field(
        description="metric of the cost engine; its name ends in its unit",
        json_schema_extra={"metrics_of": "published costs"},
    )
    number: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        description="in the unit of the quantity's name"
    )
    chip: str = Field(description="preset of the chip that the number is of")
    network: str | None = Field(default=None, description="null: the study's")
    copies: Copies = Field(
        default=None,
        description="tsb.copies that the number is of; null: a common block once, separate ones "
        "as often as backbone layers",
    )
    source: str = Field(min_length=1, description="citation: publication and place in it")
    note: str = Field(default="", description="differences to ours")
