"""Arguments of ``archsim program`` and its curve that are refused before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archsim.config.choices import PLACEMENTS
from archsim.config.load import parse_override
from archsim.device import ENCODINGS
from archsim.errors import Code, ConfigError
from archsim.util.checks import number, one_of, seed_of, switch


def check_arguments(
    design: str, encoding: str | None, read_after_s: float | None, clip_at_zero: bool, seed: int
) -> None:
    """Check what the configuration does not.

    Args:
        design: placement of the shared block.
        encoding: of weights on cells; None takes the usual one.
        read_after_s: time from programming to the reads, s; None reads at once.
        clip_at_zero: whether cells stop at zero conductance.
        seed: of all randomness.

    Raises:
        ConfigError: names the argument, what was given and what is allowed.
    """
    one_of("design", design, PLACEMENTS)
    if encoding is not None:
        one_of("encoding", encoding, ENCODINGS)
    if read_after_s is not None:
        number("read_after_s (--read-after)", read_after_s, 0.0)
    switch("clip_at_zero (--clip-at-zero)", clip_at_zero)
    seed_of(seed)


def check_unused(sizes: Mapping[str, int | float | None]) -> None:
    """Refuse sizes of images and chips where there are no data.

    Args:
        sizes: by option; None where not given.

    Raises:
        ConfigError: names the option.
    """
    for option, value in sizes.items():
        if value is not None:
            raise ConfigError(
                f"{option} {value} without data: no accuracy is measured; allowed: with "
                "--checkpoint and --data-root (or --data)",
                code=Code.CONFLICT,
                field=option,
                value=value,
                allowed="--checkpoint, --data-root",
            )


#: Settings of the chip's policy, which price it in ``archsim map``, and the options here.
_OWN_OPTIONS = {
    "policy": "--policy",
    "fraction": "--fraction",
    "granularity": "--granularity",
    "last_layers": "--last-layers",
}


def check_overrides(overrides: Iterable[str]) -> None:
    """Refuse settings of the chip's policy, which programming does not read.

    Args:
        overrides: ``path=value`` settings.

    Raises:
        ConfigError: names the setting and the option that replaces it.
    """
    for text in overrides:
        keys, node = parse_override(text)
        for key in reversed(keys):
            node = {key: node}
        for name in _below(_below(node, "chip"), "programming"):
            if name == "rewritten_layers":
                raise ConfigError(
                    f"override '{text}': chip.programming.rewritten_layers is for archsim map and "
                    "compare; archsim program writes every weight once",
                    code=Code.UNSUPPORTED,
                    field="chip.programming.rewritten_layers",
                    value=text,
                )
            if name in _OWN_OPTIONS:
                raise ConfigError(
                    f"override '{text}': chip.programming.{name} is for archsim map and compare; "
                    f"archsim program takes {_OWN_OPTIONS[name]}",
                    code=Code.UNSUPPORTED,
                    field=f"chip.programming.{name}",
                    value=text,
                    allowed=_OWN_OPTIONS[name],
                )


def _below(node: object, key: str) -> dict[str, object]:
    """Return the mapping that a mapping has under a key; an empty one without."""
    child = node.get(key) if isinstance(node, dict) else None
    return child if isinstance(child, dict) else {}
