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

_NEFT = "Qin et al., NeFT, arXiv 2305.14561"
#: What publications the words of a study stand for.
_OBJECTIVES = {
    "neft-ovf": _NEFT,
    "neft-irs": _NEFT,
    "lipschitz": "Eldebiky et al., CorrectNet, DATE 2023, arXiv 2211.14917",
}


def citations_of(study: Study) -> tuple[str, ...]:
    """Return the publications of network, data and methods, each with what it is for.

    Args:
        study: which.

    Raises:
        ConfigError: an unknown correction.
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
        add(_OBJECTIVES.get(backbone.objective), f"training {backbone.objective}")
    for method in study.methods:
        policy = write_choice(method).policy
        add(policy.source, f"write policy {policy.name}")
        for correction in corrections_of(study, method):
            add(correction.citation, f"correction {correction.name}")
    return tuple(f"{source}: {', '.join(what)}" for source, what in uses.items())
