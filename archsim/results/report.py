"""Accuracy, hardware and programming of the same designs, side by side: the joint result.

One row per method of a study, sigma and placement of the shared block. Accuracy comes from the
study's run, area, energy, time and programming from the cost engine, for the same network, device,
bits and write policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from archsim import __version__
from archsim.results.mapped import MapResult
from archsim.results.metric import Place
from archsim.results.metrics import shown_in

if TYPE_CHECKING:
    import pandas

#: What the joint table takes from the study: its name there, and here.
ACCURACY = {
    "accuracy": "accuracy",
    "ci95_low": "ci95_low",
    "ci95_high": "ci95_high",
    "ci95_backbone_low": "ci95_backbone_low",
    "ci95_backbone_high": "ci95_backbone_high",
    "std_chip": "std_chip",
    "std_run": "std_run",
    "worst": "worst",
    "validation_accuracy": "validation_accuracy",
    "gap_closed": "gap_closed",
    "chips": "chips",
    "runs": "runs",
    "seeds": "seeds",
    "images": "images",
    "written_weights": "trained_weights",
    "verified_weights": "verified_weights",
    "verified_share": "verified_share",
    "digital_parameters": "digital_parameters",
    "backbone_seconds": "backbone_seconds",
    "tune_seconds": "tune_seconds",
    "macs_share": "macs_share",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class JointDesign:
    """One method on one chip design.

    Attributes:
        method: name in the study.
        sigma: spread of one pulse, relative to the range of conductance.
        design: placement of the shared block: none, common or separate.
        measured: row of the study's table.
        mapped: cost; None where the method has no hardware in the cost engine.
        base: whether it is what overheads refer to.
        chosen: whether the study chooses the method by its validation accuracy.
        notes: what the cost leaves out.
        run: folder that the accuracy comes from.
        device: preset of the cells.
        network: name of the network.
        data: name of the data set.
        behind: how much less accurate it is on the validation images than the best priced design
            at its sigma, a fraction; None where results do not tell by how much that may be chance.
        behind_noise: half-width of the 95 % interval of that difference.
        validation_images: that both rest on.
        command: that maps it by itself, "" for none.
        about: what the method is, in one line; "" where nothing is known.
    """

    method: str
    sigma: float
    design: str
    measured: dict[str, Any]
    mapped: MapResult | None
    base: bool
    chosen: bool
    notes: tuple[str, ...] = ()
    run: str = ""
    device: str = ""
    network: str = ""
    data: str = ""
    behind: float | None = None
    behind_noise: float | None = None
    validation_images: int | None = None
    command: str = ""
    about: str = ""

    @property
    def is_priced(self) -> bool:
        """Whether the cost engine knows its cost."""
        return self.totals["edp_uJ_us"] is not None

    @property
    def label(self) -> str:
        """Method, and the placement where there is a block."""
        return self.method if self.design == "none" else f"{self.method} ({self.design})"

    @property
    def name(self) -> str:
        """Method, sigma and placement: what tells designs of a report apart."""
        return f"{self.method}, sigma {self.sigma:g}, {self.design}"

    @property
    def totals(self) -> dict[str, float | None]:
        """Hardware totals in report units; None where nothing was computed."""
        keys = [metric.key for metric in shown_in(Place.REPORT)]
        if self.mapped is None:
            return dict.fromkeys(keys)
        found = self.mapped.totals
        return {key: found[key] for key in keys}


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
        note: what is not alike, "" for nothing.
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


class Case(NamedTuple):
    """What one design is chosen for: accuracies of other networks or data do not compare."""

    sigma: float
    network: str
    data: str


@dataclass(frozen=True, eq=False)
class JointResult:
    """All designs of a study.

    Attributes:
        name: of the study.
        network: of the study.
        device: of the study.
        designs: in the order of the study.
        gaps: what the runs lack, and the command that works it out; a sentence each.
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
    def mixed(self) -> tuple[str, ...]:
        """Which of device, network and data differ among the designs."""
        return tuple(
            name
            for name in ("device", "network", "data")
            if len({getattr(own, name) for own in self.designs}) > 1
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per design; accuracies are fractions, hardware in report units."""
        bases = {(own.run, own.sigma): own.totals for own in self.designs if own.base}
        return [
            {
                "method": own.method,
                "sigma": own.sigma,
                "design": own.design,
                **{name: getattr(own, name) for name in ("device", "network", "data", "run")},
                "chosen": own.chosen,
                **{here: own.measured.get(there) for there, here in ACCURACY.items()},
                **own.totals,
                **{
                    metric.overhead_key: _overhead(
                        own.totals, bases.get((own.run, own.sigma)), metric.key
                    )
                    for metric in shown_in(Place.OVERHEAD)
                },
                "validation_behind": own.behind,
                "validation_behind_noise": own.behind_noise,
                "validation_images": own.validation_images,
                "notes": list(own.notes),
                "command": own.command,
                "about": own.about,
            }
            for own in self.designs
        ]

    def frame(self) -> pandas.DataFrame:
        """Return :meth:`rows` as a table of pandas."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim report --format json``."""
        return {
            "schema": 1,
            "archsim": __version__,
            "study": self.name,
            "network": self.network,
            "device": self.device,
            "designs": self.rows(),
            "missing": list(self.gaps),
            "published": [asdict(own) for own in self.published],
        }

    def cases(self) -> tuple[Case, ...]:
        """Return what a choice is made for: each sigma of each network on each data."""
        found = ((own.sigma, own.network, own.data) for own in self.designs)
        return tuple(Case(*key) for key in dict.fromkeys(found))

    def at(self, sigma: float, case: Case | None = None) -> Sequence[JointDesign]:
        """Return the designs of one sigma.

        Args:
            sigma: of the study.
            case: only those of its network and data; None: all.
        """
        return [
            own
            for own in self.designs
            if own.sigma == sigma
            and (case is None or (own.network, own.data) == (case.network, case.data))
        ]


def _overhead(
    totals: dict[str, float | None], base: dict[str, float | None] | None, name: str
) -> float | None:
    value, reference = totals[name], None if base is None else base[name]
    if value is None or not reference:
        return None
    return 100 * (value / reference - 1)
