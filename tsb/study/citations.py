"""Where network, data and methods of a study come from."""

from __future__ import annotations

from contextlib import suppress

from archsim.config.study import Study
from archsim.errors import NetworkError
from archsim.network.zoo.registry import entry
from tsb.data.sources import dataset_names, source
from tsb.shared_block import PAPER
from tsb.study.corrections import corrections_of
from tsb.study.programming import write_choice
from tsb.train.objective.registry import objective_named


def citations_of(study: Study) -> tuple[str, ...]:
    """Return the publications of network, data and methods, each with what it is for.

    Args:
        study: which.

    Raises:
        ConfigError: an unknown correction or objective.
    """
    uses: dict[str, list[str]] = {PAPER: ["noise of weights"]}

    def add(publication: str | None, what: str) -> None:
        if publication is not None and what not in uses.setdefault(publication, []):
            uses[publication].append(what)

    with suppress(NetworkError):  # a network of the user's own
        add(entry(study.network).citation, f"network {study.network}")
    if study.data in dataset_names():
        add(source(study.data).licence, f"data {study.data}")
    for backbone in study.backbones.values():
        objective = objective_named(backbone.objective)
        add(objective.citation, f"training {objective.name}")
    for method in study.methods:
        policy = write_choice(method).policy
        add(policy.source, f"write policy {policy.name}")
        for correction in corrections_of(study, method):
            add(correction.citation, f"correction {correction.name}")
    return tuple(f"{source}: {', '.join(what)}" for source, what in uses.items())
