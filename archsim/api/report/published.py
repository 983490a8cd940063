"""Published claims and costs beside ours, where a study names them."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.api.map import map_network
from archsim.config.load import Setting
from archsim.config.published import PublishedClaim, PublishedCost
from archsim.config.study import Study
from archsim.network.own_code import check_said
from archsim.results.columns import label_of, split_unit
from archsim.results.mapped import MapResult
from archsim.results.method_row import MethodRow
from archsim.results.metrics import check_published
from archsim.results.report import Beside

_NAMES = {
    "gap_shrink": ("gap to the noise-free network, times smaller", "", 1),
    "verified_share": ("write-verified weights", "% of the network's", 100),
    "macs_share": ("multiply-adds of training", "% of the backbone's schedule", 100),
}


def published_of(
    study: Study, measured: Mapping[tuple[str, float], MethodRow]
) -> tuple[Beside, ...]:
    """Return the published claims and costs of a study beside what came out here.

    Costs are those of the cost engine with the chip that each of them names, and the presets that
    go with it; not of the chip of the report.

    Args:
        study: which.
        measured: rows of its run by method and sigma.

    Raises:
        ArchsimError: a network, chip or metric that there is none of.
    """
    check_published(study)
    beside = [
        _claim(claim, sigma, measured.get((claim.method, sigma)))
        for claim in study.published_claims
        for sigma in (study.sigma if claim.sigma is None else [claim.sigma])
    ]
    mapped: dict[tuple[str | int | None, ...], MapResult] = {}
    for cost in study.published_costs:
        network = cost.network or study.network
        key = (network, cost.design, cost.chip, cost.copies)
        if key not in mapped:
            check_said(network)
            mapped[key] = map_network(
                network,
                design=cost.design,
                chip=cost.chip,
                overrides=[Setting("tsb.copies", cost.copies)],
            )
        beside.append(_cost(cost, network, mapped[key]))
    return tuple(beside)


def _claim(claim: PublishedClaim, sigma: float, row: MethodRow | None) -> Beside:
    name, unit, factor = _NAMES[claim.quantity]
    ours = None if row is None else getattr(row, claim.quantity)
    return Beside(
        quantity=name,
        of=f"{claim.method}, sigma {sigma:g}",
        unit=unit,
        published=factor * claim.number,
        bound=claim.bound,
        ours=None if ours is None else factor * float(ours),
        source=claim.source,
        note=claim.note,
    )


def _cost(cost: PublishedCost, network: str, mapped: MapResult) -> Beside:
    label, unit = label_of(cost.quantity), split_unit(cost.quantity)[1]
    return Beside(
        quantity=label,
        of=f"{network}, shared block: {cost.design}, chip {cost.chip}",
        unit=unit,
        published=cost.number,
        bound="=",
        ours=mapped.totals[cost.quantity],
        source=cost.source,
        note=cost.note,
    )
