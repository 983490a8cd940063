"""Networks that are code of the user, and are named in a file."""

from __future__ import annotations

from archsim.errors import Code, NetworkError
from archsim.network.timm_models import PREFIX
from archsim.util.consent import check_code_said, said


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
    if is_code(spec):
        check_code_said(spec, "network", NetworkError)


def check_is(given: str | None, stored: str, where: object, kind: str = "network") -> None:
    """Refuse a network or data that were said for something of others.

    Args:
        given: what was said; None for nothing.
        stored: what the file says.
        where: the file.
        kind: ``network`` or ``data``, and the option that says it.

    Raises:
        NetworkError: another network, or other data.
    """
    if given is not None and given != stored:
        raise NetworkError.of(
            Code.WRONG_FILE,
            f"--{kind}",
            given,
            problem=f"{where} is of another {kind}" if kind == "network" else f"{where} has others",
            allowed=stored,
        )
