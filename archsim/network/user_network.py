"""Build the network that a function of the user returns."""

from __future__ import annotations

from torch import nn

from archsim.errors import Code, NetworkError
from archsim.network.kept.watch import not_kept
from archsim.network.offline import offline, wants_download
from archsim.network.user_functions import no_function, user_object


def build_user_network(spec: str, options: dict[str, object]) -> nn.Module:
    """Import the function and call it; nothing is downloaded.

    Args:
        spec: ``package.module:function``.
        options: of the function.

    Raises:
        NetworkError: It cannot be imported or called, tries to download, or returns something else.
    """
    with offline():
        function = user_object(spec, kind="network", error=NetworkError, of_download=_NO_DOWNLOAD)
    if isinstance(function, nn.Module):  # the model itself, made when its module is imported
        if options:
            raise NetworkError(
                f"network '{spec}' is a model, not a function, and takes no options; given: "
                f"{', '.join(sorted(options))}",
                code=Code.CONFLICT,
                field="options",
                value=sorted(options),
            )
        return function
    if not callable(function):
        raise no_function(spec, kind="network", error=NetworkError)
    try:
        with offline():
            model = function(**options)
    except (Exception, SystemExit) as error:
        raise NetworkError(
            f"network '{spec}': the function raised {type(error).__name__}: {error}"
            + (f"; {_NO_DOWNLOAD}" if wants_download(error) else ""),
            code=Code.CALL_FAILED,
            field="network",
            value=spec,
        ) from error
    if not isinstance(model, nn.Module):
        model = _unpacked(model)
    if not isinstance(model, nn.Module):
        raise NetworkError(
            f"network '{spec}': the function returned {type(model).__name__}, not a torch "
            "nn.Module",
            code=Code.WRONG_TYPE,
            field="network",
            value=type(model).__name__,
            allowed="a torch nn.Module or an exported program",
        )
    return model


def _unpacked(model: object) -> object:
    """The module of an exported program; anything else as it is."""
    from torch.export import ExportedProgram

    from archsim.network.frontend.settings import program_module

    if not isinstance(model, ExportedProgram):
        return model
    not_kept("torch.export.load opens its file without Python, which nothing sees")
    return program_module(model)


_NO_DOWNLOAD = (
    "archsim downloads nothing while it builds a network: a layer graph needs shapes, not weights. "
    "Build the model from its configuration (AutoModel.from_config, pretrained=False), or download "
    "the files before"
)
