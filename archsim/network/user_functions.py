"""What a user names as ``package.module:function``: found, with errors that say where."""

from __future__ import annotations

from collections.abc import Callable

from archsim.errors import ArchsimError, Code
from archsim.network.offline import wants_download
from archsim.network.user_modules import import_user_module


def user_object(
    spec: str, *, kind: str, error: type[ArchsimError], of_download: str | None = None
) -> object:
    """Import a module of the user, and return what has a name in it; None where nothing has.

    The caller looks first that the name was said in this call: :mod:`archsim.util.consent`.

    Args:
        spec: ``package.module:name``, or ``path/to/file.py:name``.
        kind: what it should be, for messages: ``network``, ``data`` or ``metric``.
        error: class of the error.
        of_download: what to say where the module tries to download; None where it may.

    Raises:
        ArchsimError: the module cannot be imported.
    """
    module_name, _, name = spec.partition(":")
    try:
        module = import_user_module(module_name)
    except (Exception, SystemExit) as cause:
        raise error(
            f"{kind} '{spec}': module '{module_name}' cannot be imported "
            f"({type(cause).__name__}: {cause}); {_advice(module_name, cause, of_download)}",
            code=Code.CALL_FAILED,
            field=kind,
            value=module_name,
        ) from cause
    return getattr(module, name, None)


def user_function(spec: str, *, kind: str, error: type[ArchsimError]) -> Callable[..., object]:
    """Import a module of the user, and return a function of it.

    Args:
        spec: as of :func:`user_object`.
        kind: as there.
        error: as there.

    Raises:
        ArchsimError: the module cannot be imported, or has no such function.
    """
    function = user_object(spec, kind=kind, error=error)
    if not callable(function):
        raise no_function(spec, kind=kind, error=error)
    return function


def no_function(spec: str, *, kind: str, error: type[ArchsimError]) -> ArchsimError:
    """Return the error of a module without such a function.

    Args:
        spec: as of :func:`user_object`.
        kind: as there.
        error: as there.
    """
    module_name, _, name = spec.partition(":")
    return error(
        f"{kind} '{spec}': '{module_name}' has no function '{name}'",
        code=Code.UNKNOWN_NAME,
        field=kind,
        value=name,
    )


def _advice(module_name: str, error: BaseException, of_download: str | None) -> str:
    if of_download is not None and wants_download(error):
        return of_download
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is not None and f"{module_name}.".startswith(f"{missing}."):
        return "it is neither in the working directory nor on PYTHONPATH"
    return "mend the module, or what it imports (is all of it on PYTHONPATH?)"
