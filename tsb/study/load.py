"""Read a study, and check what the schema cannot know: names that come from registries.

The schema of a study (:mod:`archsim.config.study`) sees no registry of the accuracy half, so such a
name is any text there. Whoever reads a study reads it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from archsim.config import study as schema
from archsim.config.study import Backbone, Method, Study
from archsim.errors import Code, ConfigError, NetworkError
from archsim.network.load import check_module_name
from tsb.data.load import check_data_name
from tsb.train.objective.registry import OBJECTIVES, objective_named
from tsb.write_verify.policy import registry


def load_study(name: str, overrides: Iterable[str] = ()) -> Study:
    """Read a study and check it.

    Args:
        name: preset name (``archsim list studies``) or YAML path.
        overrides: ``path=value`` settings below ``study``, e.g. ``study.chips=4``.

    Raises:
        ConfigError: with the dotted path, the value and what is allowed.
    """
    return checked_study(schema.load_study(name, overrides))


def checked_study(study: Study) -> Study:
    """Return a study whose names are all known.

    Args:
        study: as the schema allows it.

    Raises:
        ConfigError: one line per problem, as those of the schema.
    """
    problems = [problem for error in _errors(study) for problem in error.problems]
    if problems:
        raise ConfigError.joined(problems)
    return study


def choices() -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the names that a key of a study may have, by model and key of the schema.

    Network and data may also be the user's own, so that they have no such list.
    """
    return {
        (Backbone.__name__, "objective"): tuple(OBJECTIVES),
        (Method.__name__, "write"): registry.names_of(registry.backbone_policies()),
    }


def _errors(study: Study) -> Iterator[ConfigError]:
    checks: list[Callable[[], object]] = [
        partial(_check_network, study.network),
        partial(check_data_name, "study.data", study.data),
    ]
    checks += [
        partial(objective_named, backbone.objective, field=f"study.backbones.{name}.objective")
        for name, backbone in study.backbones.items()
    ]
    checks += [
        partial(_check_write, f"study.methods.{place}", method)
        for place, method in enumerate(study.methods)
    ]
    for check in checks:
        try:
            check()
        except ConfigError as error:
            yield error


def _check_network(name: str) -> None:
    """Check the name of a network.

    Raises:
        ConfigError: neither a built-in network nor the user's own.
    """
    try:
        check_module_name(name)
    except NetworkError as error:
        raise ConfigError(
            f"study.network: {error}",
            code=error.code,
            field="study.network",
            value=error.value,
            allowed=error.allowed,
        ) from error


def _check_write(path: str, method: Method) -> None:
    """Check the name of a write policy, and that a fraction is given where it is used.

    Raises:
        ConfigError: another name, a fraction too few or too many.
    """
    policy = registry.policy_named(
        method.write, field=f"{path}.write", among=registry.backbone_policies()
    )
    if ("fraction" in policy.takes) != (method.fraction is not None):
        raise ConfigError(
            f"{path}: write = {method.write}, fraction = {method.fraction}; allowed: a fraction "
            f"with {', '.join(registry.names_taking('fraction'))}, and none with the others",
            code=Code.CONFLICT,
            field=path,
            value=(method.write, method.fraction),
            allowed=registry.names_taking("fraction"),
        )
