"""What a study file may say: a network, its backbones, and the methods that are compared on chips.

A study is trained and evaluated by ``archsim train``; every number of it is in the YAML, and what
is left out has the default shown by ``archsim schema study``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from archsim.config.checked import validate_model
from archsim.config.choices import (
    READ_PATHS,
    CompensationName,
    Encoding,
    ReadPath,
    Scaling,
    TrainingPrecision,
)
from archsim.config.load import Override, Setting, apply_overrides, load_preset
from archsim.config.published import Published, PublishedClaim, PublishedCost, Sigma
from archsim.config.resolve import (
    DEFAULT_CHIP,
    Resolved,
    resolve,
    tsb_preset_for,
)
from archsim.config.schema.base import About, Count, Model
from archsim.config.schema.name import Name
from archsim.config.schema.tsb import Insertion
from archsim.errors import Code, Problem, RejectedValueError
from archsim.util.checks import MAX_SEED

#: Chips of neighbouring seeds of a study have different seeds of their own.
CHIPS_PER_SEED = 100_000


def _off(value: object) -> object:
    """Return what was written: YAML reads a bare ``off`` as false."""
    return READ_PATHS[0] if value is False else value


#: How accuracies take a chip to be read.
ReadPathMode = Annotated[ReadPath, BeforeValidator(_off)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Backbone(Model):  # names of registries are any text here: tsb.study.load checks them
    """How a backbone is trained before it is programmed."""

    objective: str = Field(
        default="noise-injection", description="what is minimised: archsim list objectives"
    )
    sigma: Sigma | None = Field(
        default=None, description="of the injected noise; null: the sigma of the chip"
    )
    epochs: Count = Field(default=10, description="length of the learning-rate cosine")
    stop_fraction: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="share of the epochs that is run (early stop)"
    )
    patience: Count | None = Field(
        default=None, description="stop after so many epochs without better noisy validation"
    )
    batch_size: Count = Field(default=128, description="images per step of training")
    learning_rate: Rate = Field(default=3e-3, description="at its highest, the start of the cosine")
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.0, description="of Adam, added to the gradient (L2); 0 for none"
    )
    augment: bool = Field(default=False, description="shift and mirror training images")
    clip: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = Field(
        default=None, description="bound of all weights, in root-mean-square weights"
    )
    scaling: Scaling = Field(default="tensor", description="what shares a full-scale conductance")
    validation_instances: Count = Field(
        default=4, description="noisy chips whose validation accuracy is averaged"
    )
    precision: TrainingPrecision = Field(
        default="float32", description="of the passes of training; weights stay float32"
    )


class Tuning(Model):
    """How corrections are trained on a chip."""

    steps: Annotated[int, Field(strict=True, ge=0)] = Field(default=300, description="of Adam")
    batch_size: Count = Field(default=128, description="images per step")
    learning_rate: Rate = Field(default=1e-2, description="of Adam")
    sigma: Sigma | None = Field(
        default=None,
        description="noise of what lies in cells while it is trained; null: that of its writing",
    )
    reads: bool = Field(
        default=True,
        description="with a read path: train on what chips read, straight through their "
        "converters; false: on what their cells hold, much faster",
    )
    calibration_images: Count = Field(
        default=5000, description="first training images, for corrections that measure"
    )
    validation_images: Count = Field(
        default=2000, description="on which trained parameters must be no worse than the first ones"
    )


class Method(Model):  # as in Backbone
    """One way to get accuracy out of a chip."""

    name: Name = Field(description="in tables and figures")
    backbone: Name | None = Field(default=None, description="null: the first of the study")
    write: str = Field(
        default="none",
        description="which backbone weights are write-verified: archsim list policies",
    )
    fraction: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="share of the backbone's weights, for policies by score"
    )
    last_layers: Count = Field(default=1, description="for write: last-layers")
    copies: dict[str, Count] = Field(
        default_factory=dict, description="duplicated and averaged cells by weight name"
    )
    corrections: str = Field(
        default="",
        description="joined by + (archsim list corrections), e.g. tsb:channels=8+biases",
    )
    verify: bool = Field(default=True, description="write-verify what the corrections write")
    steps: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        default=None, description="replaces tuning.steps"
    )
    learning_rate: Rate | None = Field(default=None, description="replaces tuning.learning_rate")


class SharedBlockDefaults(Model):
    """The shared block where a correction `tsb` says no more."""

    channels: Count = Field(default=5, description="c: channels per group of the block")
    depth: Annotated[int, Field(strict=True, ge=1, le=4)] = Field(
        default=1, description="1x1 layers in the block, one after another"
    )
    insertions: Count | None = Field(default=None, description="the last places; null: all")

    def options(self) -> dict[str, int]:
        """Return what is given."""
        given: dict[str, int] = self.model_dump(exclude_none=True)
        return given


class Study(Model):
    """Network, data, chips, backbones and methods."""

    name: Name
    description: About = ""
    network: str = Field(description="zoo name or package.module:function")
    options: dict[str, int | bool | list[int]] = Field(
        default_factory=dict, description="of the network, e.g. widths: [32, 64, 128]"
    )
    data: str = Field(
        description="a data set (archsim list data), package.module:function, a YAML description "
        "or a file (docs/data.md)"
    )
    chip: str = Field(
        default=DEFAULT_CHIP,
        description="preset or YAML file: the chip whose cells the accuracies are of, and that "
        "the report prices",
    )
    device: str = Field(
        default_factory=str,
        description="replaces the chip's device, preset or YAML file; its sigma is replaced by "
        "`sigma`; left out: the chip's",
    )
    bits_per_cell: Annotated[int, Field(strict=True, ge=1, le=8)] = Field(
        default_factory=int,
        description="replaces chip.precision.bits_per_cell; left out: the chip's",
    )
    weight_bits: Annotated[int, Field(strict=True, ge=1, le=16)] = Field(
        default_factory=int, description="replaces chip.precision.weight_bits; left out: the chip's"
    )
    encoding: Encoding | None = Field(
        default=None,
        description="how the accuracies take weights to lie on cells; null: as the chip stores "
        "them, but magnitude (the sign kept apart, as in the literature) where it stores an offset "
        "code",
    )
    read_path: ReadPathMode = Field(
        default="off",
        description="off: accuracies know no converter, rows, inputs or wires; exact: everything "
        "that the chip does when it reads; approximate: one product and a noise of the same "
        "moments, for a first look (docs/read-path.md)",
    )
    chip_settings: dict[str, bool | int | float | str | None] = Field(
        default_factory=dict,
        description="further settings of the chip by path, e.g. chip.adc.bits: 4",
    )
    sigma: Annotated[list[Sigma], Field(min_length=1)] = Field(
        default=[0.1], description="spread of one pulse, relative to the range g_on - g_off"
    )
    seeds: Annotated[list[Annotated[int, Field(strict=True, ge=0)]], Field(min_length=1)] = Field(
        default=[0], description="of backbone and chips: every seed is trained anew"
    )
    chips: Count = Field(default=8, description="programmed chips per backbone")
    runs: Count = Field(default=25, description="how often the corrections are written per chip")
    train_images: Count | None = Field(default=None, description="null: all")
    validation_images: Count | None = Field(default=None, description="null: all")
    test_images: Count | None = Field(default=None, description="null: all")
    images_per_run: Count | None = Field(
        default=None,
        description="every run sees so many test images of its own, drawn anew: a tenth of them "
        "for a hundred runs costs a tenth and widens the interval little; null: all",
    )
    read_noise: bool = Field(
        default=False,
        description="every run reads all cells with the device's read noise, drawn once per run",
    )
    read_after_s: Seconds = Field(
        default=0.0,
        description="time between writing and use, s: cells drift once per chip, after tuning; 0: "
        "no drift",
    )
    compensation: CompensationName = Field(
        default="none",
        description="of that drift: outputs times a factor per layer or column, from reference "
        "reads (archsim list compensations)",
    )
    compensated_after_s: Seconds | None = Field(
        default=None,
        description="time between writing and the reference read of the factors, s; null: that of "
        "the use",
    )
    score_images: Count = Field(default=2000, description="for write policies that need data")
    tsb: SharedBlockDefaults = Field(
        default=SharedBlockDefaults(), description="defaults of the correction `tsb`"
    )
    insertion: Insertion = Field(
        default="default",
        description="where shared blocks go: as the network says (default), after every "
        "convolution or residual_block, or pattern:NAMES",
    )
    backbones: Annotated[dict[Name, Backbone], Field(min_length=1)] = Field(
        description="trainings by name; methods choose among them"
    )
    tuning: Tuning = Tuning()
    methods: Annotated[list[Method], Field(min_length=1)] = Field(
        description="what is compared, in the order of the tables"
    )
    baseline: Name | None = Field(
        default=None, description="method whose gap the others shrink; null: the first"
    )
    published: list[Published] = Field(
        default_factory=list, description="accuracies to show beside ours"
    )
    published_claims: list[PublishedClaim] = Field(
        default_factory=list, description="other statements to show beside ours"
    )
    published_costs: list[PublishedCost] = Field(
        default_factory=list, description="hardware numbers to show beside ours"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_the_chip(cls, document: Any) -> Any:
        """Fill in what the study leaves to its chip, so that a saved study says it all."""
        if not isinstance(document, dict):
            return document
        name = document.get("chip", DEFAULT_CHIP)
        if not isinstance(name, str):
            return document  # refused as the field of a wrong type
        chip = load_preset("chip", name)
        precision = chip["precision"]
        left_to_chip = {
            "device": chip["device"],
            "bits_per_cell": precision["bits_per_cell"],
            "weight_bits": precision["weight_bits"],
        }
        given = {key: value for key, value in document.items() if value is not None}
        return {**document, **left_to_chip, **given}

    @model_validator(mode="after")
    def _names_fit(self) -> Study:
        names = [method.name for method in self.methods]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            said = f"methods: the name '{twice[0]}' is given twice"
            raise RejectedValueError(Problem(said, Code.GIVEN_TWICE, "methods", twice[0]))
        for method in self.methods:
            if method.backbone is not None and method.backbone not in self.backbones:
                raise RejectedValueError(
                    Problem(
                        f"methods: backbone = '{method.backbone}' of '{method.name}'; allowed: "
                        f"{', '.join(self.backbones)}",
                        Code.UNKNOWN_NAME,
                        "methods.backbone",
                        method.backbone,
                        tuple(self.backbones),
                    )
                )
        if self.baseline is not None and self.baseline not in names:
            said = f"baseline = '{self.baseline}'; allowed: {', '.join(names)}"
            raise RejectedValueError(
                Problem(said, Code.UNKNOWN_NAME, "baseline", self.baseline, tuple(names))
            )
        self._check_seeds()
        for values, key in ((self.sigma, "sigma"), (self.seeds, "seeds")):
            if len(set(values)) < len(values):
                said = "a value is given twice"
                raise RejectedValueError(Problem.of(Code.GIVEN_TWICE, key, values, problem=said))
        return self

    def _check_seeds(self) -> None:
        last = max(self.seeds) * CHIPS_PER_SEED + self.chips - 1
        if last > MAX_SEED:
            most = (MAX_SEED - self.chips + 1) // CHIPS_PER_SEED
            raise RejectedValueError(
                Problem(
                    f"seeds = {self.seeds}: every seed has chips of its own, of seeds up to {last};"
                    f" allowed with {self.chips} chips: 0 to {most}",
                    Code.OUT_OF_RANGE,
                    "seeds",
                    self.seeds,
                    f"0 to {most}",
                )
            )

    def backbone_of(self, method: Method) -> str:
        """Return the name of a method's backbone.

        Args:
            method: one of this study's.
        """
        return method.backbone or next(iter(self.backbones))

    def resolve(
        self, *, sigma: float | None = None, overrides: Iterable[Override] = ()
    ) -> Resolved:
        """Return the chip of the study with everything that it refers to.

        Args:
            sigma: spread of one pulse, relative to the range g_on - g_off; None: the device's own.
            overrides: further settings.

        Raises:
            ConfigError: chip, device and bits do not fit together.
        """
        return resolve(
            chip=self.chip,
            device=self.device,
            tsb=tsb_preset_for(self.network),
            overrides=[*self.settings(sigma), *overrides],
        )

    def settings(self, sigma: float | None = None) -> tuple[Setting, ...]:
        """Return what the study sets on its chip and device.

        Args:
            sigma: spread of one pulse, relative to the range g_on - g_off; None: the device's own.
        """
        bits: tuple[Setting, ...] = (
            Setting("chip.precision.bits_per_cell", self.bits_per_cell),
            Setting("chip.precision.weight_bits", self.weight_bits),
        )
        if self.weight_bits % self.bits_per_cell:  # accuracies leave levels of the top cell unused
            bits = (*bits, Setting("chip.precision.pad_top_slice", True))
        bits = (*bits, *(Setting(path, value) for path, value in self.chip_settings.items()))
        if sigma is None:
            return bits
        factor = resolve(chip=self.chip, device=self.device, overrides=bits).device.range_factor
        return (*bits, Setting("device.sigma", sigma / factor))

    @property
    def baseline_name(self) -> str:
        """The method whose gap to the ideal the others shrink."""
        return self.baseline or self.methods[0].name


def load_study(name: str, overrides: Iterable[str] = ()) -> Study:
    """Read a study as the schema has it: :func:`tsb.study.load.load_study` checks its names too.

    Args:
        name: preset name (``archsim list studies``) or YAML path.
        overrides: ``path=value`` settings below ``study``, e.g. ``study.chips=4``.

    Raises:
        ConfigError: with the dotted path, the value and what is allowed.
    """
    document: dict[str, Any] = {"study": load_preset("study", name)}
    return validate_model(Study, apply_overrides(document, overrides)["study"], "study")
