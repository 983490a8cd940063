"""Networks that are code of the user, and are named in a file."""

from __future__ import annotations

from archsim.errors import Code, NetworkError
from archsim.network.timm_models import PREFIX
from archsim.util.consent import said


def is_code(spec: str) -> bool:
    """Whether a network's name is that of a function of the user: ``package.module:function``.

    Args:
        spec: name of a network, in any form.
    """
    return ":" in spec and not spec.startswith(PREFIX) and not spec.lower().endswith(".onnx")


def is_said(spec: str) -> bool:
    """Whether a network may be built: it runs no code of the user, or was said in this call.

    Args:
        spec: name of a network, in any form.
    """
    return not is_code(spec) or spec in said()


def check_said(spec: str) -> None:
    """Refuse to run code that only a file names.

    Args:
        spec: network of a study, a run, a sweep or a chip.

    Raises:
        NetworkError: it is code, and its name was not said in this call; with the option.
    """
    if not is_said(spec):
        raise NetworkError.of(
            Code.UNSAFE_FILE,
            "network",
            spec,
            problem="a file names this code, and it is not run for that; if you trust it, say so",
            allowed=f"--network {spec} (network={spec!r} in Python)",
        )


def check_is(given: str | None, stored: str, where: object) -> None:
    """Refuse a network that was said for something of another one.

    Args:
        given: what was said; None for nothing.
        stored: what the file says.
        where: the file.

    Raises:
        NetworkError: another network.
    """
    if given is not None and given != stored:
        raise NetworkError.of(
            Code.WRONG_FILE,
            "--network",
            given,
            problem=f"{where} is of another network",
            allowed=stored,
        )
