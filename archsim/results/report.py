"""Accuracy, hardware and programming of the same designs, side by side: the joint result.

One row per method of a study, sigma and placement of the shared block. Accuracy comes from the
study's run, area, energy, time and programming from the cost engine, for the same network, device,
bits and write policy.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from archsim import __version__
from archsim.results.design_row import DesignRow
from archsim.results.mapped import MapResult
from archsim.results.method_row import MethodRow, finite
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.read_said import ReadSaid
from archsim.units import exact

if TYPE_CHECKING:
    import pandas

#: Metric that a design is chosen by: one without it has no price.
COST = "edp_uJ_us"


class JointCase(NamedTuple):
    """What one design is chosen for: accuracies of other networks or data do not compare."""

    sigma: float
    network: str
    data: str


@dataclass(frozen=True, kw_only=True)
class Behind:
    """How far a design lies behind another on the validation images (``tsb.study.behind``).

    Attributes:
        mean: accuracy of the better one minus that of the other, a fraction.
        half_width: of the 95 % interval of this difference, a fraction.
        images: validation images that it rests on.
        chips: of one method.
    """

    mean: float
    half_width: float
    images: int
    chips: int


@dataclass(frozen=True, eq=False, kw_only=True)
class JointDesign:
    """One method on one chip design.

    Attributes:
        method: name in the study, with that of its run where there are several.
        sigma: spread of one pulse, relative to the range of conductance.
        placement: of the shared block: none, common or separate.
        measured: what the study's run found of the method.
        mapped: cost; None where the method has no hardware in the cost engine.
        base: whether it is what overheads refer to.
        notes: what the cost leaves out.
        run: folder that the accuracy comes from.
        device: preset of the cells.
        network: name of the network.
        data: name of the data set.
        chip: preset or file that the design is priced on.
        encoding: how the accuracy takes weights to lie on cells.
        chip_encoding: how the chip stores them, which the cost is of.
        encoding_note: what to say where these differ, "" where they agree.
        behind: how far it is behind the most accurate priced design of its case; None where results
            do not tell by how much that may be chance.
        command: that maps it by itself, "" for none.
        about: what the method is, in one line; "" where nothing is known.
    """

    method: str
    sigma: float
    placement: str
    measured: MethodRow
    mapped: MapResult | None
    base: bool
    notes: tuple[str, ...] = ()
    run: str = ""
    device: str = ""
    network: str = ""
    data: str = ""
    chip: str = ""
    encoding: str = ""
    chip_encoding: str = ""
    encoding_note: str = ""
    behind: Behind | None = None
    command: str = ""
    about: str = ""

    @property
    def case(self) -> JointCase:
        """What it can be chosen for."""
        return JointCase(self.sigma, self.network, self.data)

    @property
    def chosen(self) -> bool:
        """Whether the study chooses the method by its validation accuracy."""
        return self.measured.chosen

    @property
    def is_priced(self) -> bool:
        """Whether the cost engine knows its cost."""
        return finite(self.total(COST)) is not None

    @property
    def label(self) -> str:
        """Method, and the placement where there is a block."""
        return self.method if self.placement == "none" else f"{self.method} ({self.placement})"

    @property
    def name(self) -> str:
        """Method, sigma and placement: what tells designs of a report apart."""
        return f"{self.method}, sigma {exact(self.sigma)}, {self.placement}"

    def total(self, key: str) -> float | int | None:
        """Return one hardware total in report units; None where nothing was computed.

        Args:
            key: of a metric, wherever it is shown.
        """
        return None if self.mapped is None else self.mapped.totals[key]

    @property
    def totals(self) -> dict[str, float | None]:
        """Hardware totals of the joint table in report units; None where nothing was computed."""
        keys = [metric.key for metric in shown_in(Place.REPORT)]
        if self.mapped is None:
            return dict.fromkeys(keys)
        whole = self.mapped.totals
        return {key: whole[key] for key in keys}


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A published number beside ours.

    Attributes:
        quantity: what it is, for people.
        of: method or placement, and under which conditions.
        unit: of both numbers; "" for a ratio.
        published: their number.
        bound: "=", or ">" and "<" where they give a bound.
        ours: our number; None where we have none.
        low: lower end of our 95 % interval, None without one.
        high: its upper end.
        source: of the published number.
        note: differences, "" for none.
    """

    quantity: str
    of: str
    unit: str
    published: float
    bound: str
    ours: float | None
    low: float | None = None
    high: float | None = None
    source: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class JointResult:
    """All designs of a study.

    Attributes:
        name: of the study.
        network: of the study.
        device: of the study.
        designs: in the order of the study.
        gaps: what the runs lack, and the command that computes it; a sentence each.
        published: published numbers beside ours, other than accuracies of methods.
        sources: publications behind network, data and methods.
    """

    name: str
    network: str
    device: str
    designs: tuple[JointDesign, ...]
    gaps: tuple[str, ...] = ()
    published: tuple[Beside, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """What was studied: network, the chips that the designs are priced on, and device."""
        chips = list(dict.fromkeys(design.chip for design in self.designs if design.chip))
        on = [f"chip{'s' if len(chips) > 1 else ''} {' and '.join(chips)}"] if chips else []
        return f"{self.network} on {', '.join([*on, f'device {self.device}'])}"

    @property
    def mixed(self) -> tuple[str, ...]:
        """Which of device, network and data differ among the designs."""
        return tuple(
            name
            for name in ("device", "network", "data")
            if len({getattr(design, name) for design in self.designs}) > 1
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """How the chips behind the accuracies were read, a sentence for each way."""
        reads = [
            design.measured.read
            for design in self.designs
            if finite(design.measured.accuracy) is not None and design.measured.read_path
        ]
        modes = dict.fromkeys(read.mode for read in reads)
        return tuple(
            ReadSaid.pooled(read for read in reads if read.mode == mode).line for mode in modes
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before an accuracy is read beside a cost, a sentence each."""
        notes = (
            design.encoding_note
            for design in self.designs
            if design.mapped is not None and finite(design.measured.accuracy) is not None
        )
        read = (text for design in self.designs for text in design.measured.read.warnings)
        return tuple(dict.fromkeys(note for note in (*notes, *read) if note))

    def rows(self) -> tuple[DesignRow, ...]:
        """Return one row per design; accuracies are fractions, hardware in report units."""
        bases = {
            (design.run, design.sigma): design.totals for design in self.designs if design.base
        }
        return tuple(_row(design, bases.get((design.run, design.sigma))) for design in self.designs)

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries by column, for JSON, CSV and pandas."""
        return [row.record() for row in self.rows()]

    def frame(self) -> pandas.DataFrame:
        """Return the rows as a table of pandas."""
        import pandas as pd

        return pd.DataFrame(self.records())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim report --format json``."""
        return {
            "schema": 1,
            "archsim": __version__,
            "study": self.name,
            "network": self.network,
            "device": self.device,
            "designs": self.records(),
            "missing": list(self.gaps),
            "read_path": list(self.reads),
            "warnings": list(self.warnings),
            "published": [asdict(each) for each in self.published],
        }

    def cases(self) -> tuple[JointCase, ...]:
        """Return what a choice is made for: each sigma of each network on each data."""
        return tuple(dict.fromkeys(design.case for design in self.designs))

    def at(self, sigma: float) -> tuple[JointDesign, ...]:
        """Return the designs of one sigma.

        Args:
            sigma: of the study.
        """
        return tuple(design for design in self.designs if design.sigma == sigma)

    def of(self, case: JointCase) -> tuple[JointDesign, ...]:
        """Return the designs that are chosen from.

        Args:
            case: sigma, network and data.
        """
        return tuple(design for design in self.designs if design.case == case)


def _row(design: JointDesign, base: dict[str, float | None] | None) -> DesignRow:
    """Return the row of a design.

    Args:
        design: which.
        base: totals of the design that overheads refer to; None without one.
    """
    measured, behind, totals = design.measured, design.behind, design.totals
    return DesignRow(
        method=design.method,
        sigma=design.sigma,
        placement=design.placement,
        device=design.device,
        network=design.network,
        data=design.data,
        run=design.run,
        chip=design.chip or None,
        encoding=design.encoding or None,
        chip_encoding=design.chip_encoding or None,
        read_path=measured.read_path,
        adc_range=measured.adc_range,
        adc_bits=measured.adc_bits,
        clip_rate=measured.clip_rate,
        read_warnings=measured.read_warnings,
        chosen=design.chosen,
        accuracy=measured.accuracy,
        ci95_low=measured.ci95_low,
        ci95_high=measured.ci95_high,
        ci95_backbone_low=measured.ci95_backbone_low,
        ci95_backbone_high=measured.ci95_backbone_high,
        std_chip=measured.std_chip,
        std_run=measured.std_run,
        worst=measured.worst,
        validation_accuracy=measured.validation_accuracy,
        gap_closed=measured.gap_closed,
        chips=measured.chips,
        runs=measured.runs,
        seeds=measured.seeds,
        images=measured.images,
        trained_weights=measured.written_weights,
        verified_weights=measured.verified_weights,
        verified_share=measured.verified_share,
        digital_parameters=measured.digital_parameters,
        backbone_seconds=measured.backbone_seconds,
        tune_seconds=measured.tune_seconds,
        macs_share=measured.macs_share,
        hardware={
            **totals,
            **{
                metric.overhead_key: _overhead(totals, base, metric.key)
                for metric in shown_in(Place.OVERHEAD)
            },
        },
        validation_behind=None if behind is None else behind.mean,
        validation_behind_noise=None if behind is None else behind.half_width,
        validation_images=None if behind is None else behind.images,
        notes=design.notes,
        command=design.command,
        about=design.about,
    )


def _overhead(
    totals: dict[str, float | None], base: dict[str, float | None] | None, name: str
) -> float | None:
    value, reference = totals[name], None if base is None else base[name]
    if value is None or not reference:
        return None
    return 100 * (value / reference - 1)
