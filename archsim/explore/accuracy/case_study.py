"""The study that measures a case of a sweep, and where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archsim.arch.parameters import quantity_at
from archsim.config.priced_policies import NOTHING, priced_policy
from archsim.config.study import Method, Study
from archsim.config.sweep import AccuracyOfPoints, Scalar
from archsim.errors import Code, ConfigError, close_matches
from archsim.explore.space.cases import AccuracyCase
from archsim.explore.space.identity import identity_hash
from archsim.explore.space.read_settings import read_value
from archsim.units import from_si
from archsim.util.paths import user_cache
from tsb.correction.parse import format_terms, parse_terms
from tsb.correction.shared_blocks import SharedBlocks
from tsb.study.load import load_study
from tsb.study.units import backbone_settings, backbone_units, method_settings, method_units


def study_of(case: AccuracyCase, asked: AccuracyOfPoints) -> Study:
    """Return the study that measures a case: one method of the sweep's study, on its design.

    Args:
        case: which.
        asked: study and methods.

    Raises:
        ConfigError: an unknown study or method, or a method that has no shared block.
    """
    study = load_study(asked.study)
    name = asked.method if case.block else (asked.base or study.baseline_name)
    known = [method.name for method in study.methods]
    _check_method(study, name, known)
    method = _method_of(study.methods[known.index(name)], case)
    first, used = next(iter(study.backbones)), study.backbone_of(method)
    block = {} if case.block is None else {"insertion": case.block[2]}
    changes: dict[str, Any] = {
        "network": case.network,
        "chip": case.chip,
        "device": case.device,
        "weight_bits": case.weight_bits,
        "bits_per_cell": case.bits_per_cell,
        "encoding": case.encoding,
        "sigma": [case.sigma],
        "methods": [method],
        "backbones": {name: study.backbones[name] for name in dict.fromkeys((first, used))},
        "baseline": None,
        **{key: [] for key in ("published", "published_claims", "published_costs")},
        **block,
        "read_path": "exact" if case.read else "off",
    }
    if case.network != study.network:
        changes["options"] = {}
    on_chip = study.model_copy(update=changes)
    return _reading(on_chip, dict(case.read)) if case.read else on_chip


def _reading(study: Study, read: dict[str, Scalar]) -> Study:
    """Set what is read on the chip of a study, where its files say something else."""
    given = {path: value for path, value in study.chip_settings.items() if path not in read}
    study = study.model_copy(update={"chip_settings": given})
    here = study.resolve()
    for path, value in read.items():
        if read_value(here, path) != value:
            quantity = quantity_at(here, path)
            if quantity is not None and value is not None:
                given[path] = from_si(float(value), quantity.unit)
            else:
                given[path] = value
    return study.model_copy(update={"chip_settings": given})


def _method_of(method: Method, case: AccuracyCase) -> Method:
    policy = priced_policy(case.policy)
    changes: dict[str, Any] = {"verify": policy.verifies}
    if policy.in_study != NOTHING.in_study:
        changes |= {"write": policy.in_study, "fraction": None}
    name = f"{method.name}, {case.policy} verified"
    if case.block is not None:
        channels, depth, _ = case.block
        terms = parse_terms(method.corrections)
        if SharedBlocks.name not in dict(terms):
            raise ConfigError(
                f"sweep.accuracy: method '{method.name}' has no correction tsb, and is for points "
                "with a shared block; allowed: one with tsb",
                code=Code.CONFLICT,
                field="sweep.accuracy",
                value=method.name,
                allowed="one with tsb",
            )
        size = {"channels": channels, "depth": depth}
        changes["corrections"] = format_terms(
            (term, {**size, **options, **size} if term == SharedBlocks.name else options)
            for term, options in terms
        )
        name += f", {channels} x {channels} x {depth}"
    # A method of another study may have the name and not the content: results lie by name.
    nameless = method.model_copy(update={**changes, "name": ""})
    name += f", {identity_hash(nameless.model_dump(mode='json'))[:8]}"
    return nameless.model_copy(update={"name": name})


def cache_folder() -> Path:
    """Return where accuracies are kept unless a folder is named: the user's cache."""
    return user_cache() / "accuracy"


def run_folder(study: Study, cache: Path) -> Path:
    """Return the folder of a study in the cache: methods on the same backbones share it.

    Args:
        study: of one case.
        cache: folder of the cache.
    """
    from archsim import __version__

    shared = [backbone_settings(study, unit) for unit in backbone_units(study)]
    method = [method_settings(study, unit) for unit in method_units(study)]
    chip = [
        {key: value for key, value in settings.items() if key != "method"} for settings in method
    ]
    return cache / identity_hash({"archsim": __version__, "backbones": shared, "chips": chip})


def check_methods(asked: AccuracyOfPoints) -> None:
    """Check that the methods of a sweep are those of its study, also where no point has them.

    Args:
        asked: study and methods.

    Raises:
        ConfigError: an unknown study or method.
    """
    study = load_study(asked.study)
    known = [method.name for method in study.methods]
    for name in (asked.method, asked.base or study.baseline_name):
        _check_method(study, name, known)


def _check_method(study: Study, name: str, known: list[str]) -> None:
    if name not in known:
        raise ConfigError(
            f"sweep.accuracy: method '{name}'; study '{study.name}' has: {', '.join(known)}."
            + close_matches(name, known),
            code=Code.UNKNOWN_NAME,
            field="sweep.accuracy",
            value=name,
            allowed=known,
        )
