"""Corrections by name: ``tsb+biases``, ``last-layers:2``, ``batch-norm+tsb:channels=8,depth=2``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archsim.errors import ConfigError, close_matches
from tsb.correction.base import Correction
from tsb.correction.block import LinearBlock, LowRank, OwnBlocks, SharedBlocks
from tsb.correction.digital import BatchNorms, Biases, OutputMatch, Scales
from tsb.correction.retrain import LastLayers


@dataclass(frozen=True)
class _Entry:
    """How a name becomes a correction.

    Attributes:
        make: the class.
        options: names of its whole-number options; the first may be given without its name.
        description: one line.
        required: the option without a default, if there is one.
    """

    make: Callable[..., Correction]
    options: tuple[str, ...]
    description: str
    required: str = ""


_ENTRIES = {
    "batch-norm": _Entry(BatchNorms, (), "batch norms recalibrated on the chip, without labels"),
    "output-match": _Entry(
        OutputMatch, (), "outputs of linear layers matched to the clean network, without labels"
    ),
    "tsb": _Entry(
        SharedBlocks,
        ("channels", "depth", "insertions"),
        "the tiny shared block of the paper",
        "channels",
    ),
    "own-blocks": _Entry(OwnBlocks, (), "a 1x1 convolution per layer, not shared"),
    "linear-block": _Entry(
        LinearBlock, ("channels",), "a shared block before linear layers", "channels"
    ),
    "low-rank": _Entry(LowRank, ("rank",), "a low-rank term beside linear layers"),
    "biases": _Entry(Biases, (), "digital biases"),
    "scales": _Entry(Scales, (), "a digital factor per output channel"),
    "last-layers": _Entry(LastLayers, ("count",), "the last layers retrained and written again"),
}

#: One line about every correction, by name.
CORRECTIONS = {name: entry.description for name, entry in _ENTRIES.items()}


def parse_corrections(
    text: str, defaults: Mapping[str, Mapping[str, int]] | None = None
) -> list[Correction]:
    """Make corrections from their names; they act in this order.

    Args:
        text: names joined by ``+``, each with options after a colon; "" for none.
        defaults: options by name, for what the text leaves out.

    Raises:
        ConfigError: an unknown name or option, a value that is not a whole number, or a name twice.
    """
    parts = [part.strip() for part in text.split("+")] if text.strip() else []
    names = [part.partition(":")[0] for part in parts]
    for name in names:
        if name not in _ENTRIES:
            raise ConfigError(
                f"correction '{name}' in '{text}'; allowed: {', '.join(_ENTRIES)}."
                + close_matches(name, _ENTRIES)
            )
        if names.count(name) > 1:
            raise ConfigError(f"correction '{name}' is given twice in '{text}'")
    return [
        _ENTRIES[name].make(**_checked(name, {**(defaults or {}).get(name, {}), **_options(part)}))
        for name, part in zip(names, parts, strict=True)
    ]


def _options(part: str) -> dict[str, int]:
    name, _, text = part.partition(":")
    known = _ENTRIES[name].options
    found: dict[str, int] = {}
    for item in filter(None, text.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            key, value = (known[0] if known else ""), item
        if key not in known or not value.strip().isdecimal():
            allowed = ", ".join(f"{option}=NUMBER" for option in known) or "none"
            raise ConfigError(f"option '{item}' of correction '{name}'; allowed: {allowed}")
        found[key] = int(value)
    return found


def _checked(name: str, options: Mapping[str, int]) -> dict[str, int]:
    """Refuse to leave out what has no default."""
    required = _ENTRIES[name].required
    if required and required not in options:
        raise ConfigError(f"correction '{name}' needs {required}: write {name}:{required}=NUMBER")
    return dict(options)
