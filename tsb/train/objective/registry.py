"""All training objectives, in the order in which lists and tables have them.

To add one: its class in a file of its own here, and its line below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from archsim.errors import Code, ConfigError, close_matches
from archsim.util.checks import one_of
from tsb.train.objective.base import DECLARED, Loss, TrainingObjective, options_of
from tsb.train.objective.lipschitz import Lipschitz
from tsb.train.objective.neft_irs import NeftIrs
from tsb.train.objective.neft_ovf import NeftOvf
from tsb.train.objective.noise_injection import NoiseInjection


def registered(*classes: type[TrainingObjective]) -> dict[str, type[TrainingObjective]]:
    """Return objectives by name.

    Args:
        classes: in the order of lists and tables.

    Raises:
        TypeError: a class that leaves a declaration out, or a name given twice.
    """
    by_name: dict[str, type[TrainingObjective]] = {}
    for objective in classes:
        lacking = [name for name in DECLARED if not hasattr(objective, name)]
        lacking += [f"{name}()" for name in sorted(getattr(objective, "__abstractmethods__", ()))]
        if lacking:
            raise TypeError(
                f"objective {objective.__qualname__} does not declare {', '.join(lacking)}"
            )
        if objective.name in by_name:
            both = f"{by_name[objective.name].__qualname__} and {objective.__qualname__}"
            raise TypeError(f"objectives {both} are both called '{objective.name}'")
        by_name[objective.name] = objective
    return by_name


#: All objectives by name.
OBJECTIVES: Mapping[str, type[TrainingObjective]] = registered(
    NoiseInjection, NeftOvf, NeftIrs, Lipschitz
)
#: What an objective is where nothing is said: the first, and that of training without noise.
PLAIN = next(iter(OBJECTIVES))


def objective_named(
    name: object, options: Mapping[str, object] | None = None, *, field: str = "objective"
) -> TrainingObjective:
    """Return an objective by its name.

    Args:
        name: what was given.
        options: of that objective (:func:`tsb.train.objective.base.options_of`); what is left out
            has its default.
        field: where it was given, for the message.

    Raises:
        ConfigError: an unknown name or option, or a value that is out of range or of the wrong
            kind.
    """
    known_name = one_of(field, name, tuple(OBJECTIVES))
    objective = OBJECTIVES[known_name]
    known, given = tuple(options_of(objective)), dict(options or {})
    for option in given:
        if option not in known:
            raise ConfigError(
                f"objective '{known_name}' has no option '{option}'; allowed: "
                f"{', '.join(known) or 'none'}.{close_matches(option, known)}",
                code=Code.UNKNOWN_KEY,
                field=field,
                value=option,
                allowed=known,
            )
    make: Callable[..., TrainingObjective] = objective
    try:
        return make(**given)
    except TypeError as error:
        said = f"objective '{known_name}' cannot be made with {given}: {error}"
        raise ConfigError(said, code=Code.CALL_FAILED, field=field, value=given) from error


def make_loss(
    name: str,
    model: nn.Module,
    image_shape: Sequence[int],
    *,
    seed: int = 0,
    **options: object,
) -> Loss:
    """Return the loss of an objective for a network.

    Args:
        name: one of :data:`OBJECTIVES`.
        model: to be trained, on its device; it is not changed.
        image_shape: of one image: channels, height, width.
        seed: of the auxiliary module, if there is one.
        **options: see :func:`objective_named`.

    Raises:
        ConfigError: see :func:`objective_named`; or a network that the objective cannot train.
    """
    return objective_named(name, options).prepare(model, image_shape, seed)
