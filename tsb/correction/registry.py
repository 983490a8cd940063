"""All corrections: the one place that lists them, and what each must declare to be listed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace

from archsim.errors import ConfigError, NetworkError
from tsb.correction.base import Carrier, Correction
from tsb.correction.batch_norms import BatchNorms
from tsb.correction.biases import Biases
from tsb.correction.last_layers import LastLayersTuned
from tsb.correction.linear_block import LinearBlock
from tsb.correction.low_rank import LowRank
from tsb.correction.options import options_of
from tsb.correction.output_match import OutputMatch
from tsb.correction.own_blocks import OwnBlocks
from tsb.correction.scales import Scales
from tsb.correction.shared_blocks import SharedBlocks

#: What a class declares beside its methods.
DECLARED = ("name", "description", "citation", "in_cells", "trained", "starts_as_identity")


def registered(*classes: type[Correction]) -> dict[str, type[Correction]]:
    """Return corrections by name.

    Args:
        classes: in the order of lists and tables.

    Raises:
        TypeError: a class that leaves a declaration out, or a name given twice.
    """
    by_name: dict[str, type[Correction]] = {}
    for correction in classes:
        lacking = [name for name in DECLARED if not hasattr(correction, name)]
        lacking += [f"{name}()" for name in sorted(getattr(correction, "__abstractmethods__", ()))]
        lacking += [
            f"an example of {option.name}"
            for option in options_of(correction).values()
            if option.example is None and option.is_required
        ]
        if lacking:
            raise TypeError(
                f"correction {correction.__qualname__} does not declare {', '.join(lacking)}"
            )
        if correction.name in by_name:
            both = f"{by_name[correction.name].__qualname__} and {correction.__qualname__}"
            raise TypeError(f"corrections {both} are both called '{correction.name}'")
        by_name[correction.name] = correction
    return by_name


#: All corrections by name.
CORRECTIONS: Mapping[str, type[Correction]] = registered(
    SharedBlocks,
    OwnBlocks,
    LinearBlock,
    LowRank,
    LastLayersTuned,
    Biases,
    Scales,
    OutputMatch,
    BatchNorms,
)


def make(name: str, options: Mapping[str, int]) -> Correction:
    """Return a correction that is not yet attached.

    Args:
        name: one of :data:`CORRECTIONS`.
        options: by name; all that are required.
    """
    build: Callable[..., Correction] = CORRECTIONS[name]
    return build(**options)


def example(name: str) -> Correction:
    """Return a correction with defaults, and with its own examples where there are none.

    Args:
        name: one of :data:`CORRECTIONS`.
    """
    examples = {option.name: option.example for option in options_of(CORRECTIONS[name]).values()}
    return make(name, {option: value for option, value in examples.items() if value is not None})


def applicable(carrier: Carrier) -> tuple[str, ...]:
    """Return the names of the corrections that have something to act on in a network.

    Args:
        carrier: the network; not changed.
    """
    return tuple(name for name in CORRECTIONS if _applies(name, carrier))


def _applies(name: str, carrier: Carrier) -> bool:
    try:
        example(name).attach(replace(carrier, model=copy.deepcopy(carrier.model)))
    except NetworkError:
        return False
    except ConfigError:  # with other options than those of the example
        return True
    return True
