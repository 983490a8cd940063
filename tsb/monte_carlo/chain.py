"""A network as a chain of layers, for the compiled back end: what is in it, and what is refused.

Batch norm and the shared block are linear in the channels of a convolution's output, so they are
folded into its weights, per instance.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn

from archsim.errors import NOT_GIVEN, Code, NetworkError
from tsb.cells.stored import StoredNetwork
from tsb.shared_block import SharedBlock


@dataclass
class Link:
    """One convolution or linear layer and what follows it, before the next one.

    Attributes:
        layer: the convolution or linear layer.
        folded: batch norms and shared blocks after it, in order.
        relu: whether a ReLU follows.
        pool: whether a 2x2 maximum follows.
    """

    layer: nn.Conv2d | nn.Linear
    folded: list[nn.BatchNorm2d | SharedBlock] = field(default_factory=list)
    relu: bool = False
    pool: bool = False


def _refuse(
    what: str, why: str, value: object = NOT_GIVEN, code: Code = Code.UNSUPPORTED
) -> NetworkError:
    said = f"the compiled back end does not do {what}: {why}; use 'batched' or 'loop'"
    return NetworkError(said, code=code, field=what.strip("'"), value=value)


_RELUS = {torch.ops.aten.relu.default, torch.ops.aten.relu_.default}
_RESHAPES = {
    torch.ops.aten.flatten.using_ints,
    torch.ops.aten.view.default,
    torch.ops.aten.reshape.default,
}


def read_chain(model: nn.Module, input_shape: tuple[int, int, int]) -> list[Link]:
    """Read the layers of a network that is a plain chain.

    Convolutions (one group, no dilation, zero padding, equal on both axes), then linear layers;
    batch norm and shared blocks after convolutions, ReLU, 2x2 max pooling, flatten. The layers
    must be modules.

    Args:
        model: the network, in evaluation mode.
        input_shape: channels, height, width.

    Raises:
        NetworkError: anything else, by name.
    """
    if isinstance(model, StoredNetwork):
        why = "some matrices are parts of tensors, or computed"
        raise _refuse(type(model.base).__name__, why)
    links: list[Link] = []
    entered = ""  # the module call that the last operation belonged to
    for node in _operations(model, input_shape):
        path, module = _owner(node, model)
        if isinstance(module, SharedBlock):
            if path != entered:
                _add_module(links, path, module)
            entered = path
            continue
        entered = path
        data = [one for one in node.all_input_nodes if not one.name.startswith(("p_", "b_"))]
        if len(data) != 1 or len(node.users) != 1:
            raise _refuse(f"'{node.name}'", "the network is not a chain")
        if not any(module.children()) and module is not model:
            _add_module(links, path, module)
        elif node.target in _RELUS:
            _last(links, node.name).relu = True
        elif not (node.target in _RESHAPES and node.meta["val"].shape[1:].numel() == _flat(node)):
            raise _refuse(f"'{node.name}'", f"unknown operation {node.target}", str(node.target))
    if not links or not isinstance(links[-1].layer, nn.Linear):
        last = type(links[-1].layer).__name__ if links else None
        raise _refuse(type(model).__name__, "the last layer is not linear", last)
    return links


def _operations(model: nn.Module, input_shape: tuple[int, int, int]) -> list[fx.Node]:
    """Return the operations of the network on two images, in order."""
    like = next(model.parameters())
    example = torch.zeros(2, *input_shape, dtype=like.dtype, device=like.device)
    try:
        graph = torch.export.export(model, (example,), strict=False).graph
    except Exception as error:  # torch.export documents no exception types
        why = f"it cannot be traced ({error})"
        raise _refuse(type(model).__name__, why, code=Code.CALL_FAILED) from error
    return [node for node in graph.nodes if node.op == "call_function"]


def _owner(node: fx.Node, model: nn.Module) -> tuple[str, nn.Module]:
    """Return the call (``name`` or ``name@n``) and the module that an operation belongs to."""
    paths = [path for path, _ in node.meta["nn_module_stack"].values()]
    modules = [model.get_submodule(path.split("@")[0]) for path in paths]
    whole = [k for k, module in enumerate(modules) if isinstance(module, SharedBlock)]
    place = whole[0] if whole else -1
    return paths[place], modules[place]


def _flat(node: fx.Node) -> int:
    """Return the last axis of an operation's result: all of it, if that is ``image feature``."""
    size: int = node.meta["val"].shape[-1]
    return size


def _last(links: list[Link], name: str) -> Link:
    if not links:
        raise _refuse(f"'{name}'", "it stands before the first convolution or linear layer")
    return links[-1]


def _add_module(links: list[Link], name: str, module: nn.Module) -> None:
    """Append a layer, or add a module to the last one."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        _check_layer(name, module)
        links.append(Link(module))
    elif isinstance(module, nn.Identity | nn.Flatten | nn.Dropout):
        if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) != (1, -1):
            raise _refuse(f"'{name}'", f"unusual {module}", type(module).__name__)
    elif isinstance(module, nn.ReLU):
        _last(links, name).relu = True
    elif isinstance(module, nn.MaxPool2d):
        _check_pool(name, module, _last(links, name))
        links[-1].pool = True
    elif isinstance(module, nn.BatchNorm2d | SharedBlock):
        last = _last(links, name)
        linear = isinstance(last.layer, nn.Conv2d) and not (last.relu or last.pool)
        if not linear or getattr(module, "running_mean", True) is None:
            raise _refuse(f"'{name}'", "only what directly follows a convolution can be folded")
        last.folded.append(module)
    else:
        raise _refuse(f"'{name}'", f"unknown module {type(module).__name__}", type(module).__name__)


def _check_layer(name: str, module: nn.Conv2d | nn.Linear) -> None:
    if isinstance(module, nn.Linear):
        return
    square = all(
        isinstance(pair, tuple) and operator.eq(*pair) for pair in (module.padding, module.stride)
    )
    plain = module.groups == 1 and set(module.dilation) == {1} and module.padding_mode == "zeros"
    if not square or not plain:
        raise _refuse(f"'{name}'", f"unusual {module}", type(module).__name__)


def _check_pool(name: str, module: nn.MaxPool2d, last: Link) -> None:
    def is_pair(value: int | tuple[int, int], wanted: int) -> bool:
        return value in (wanted, (wanted, wanted))

    plain = is_pair(module.kernel_size, 2) and is_pair(module.stride, 2)
    plain = plain and is_pair(module.padding, 0) and is_pair(module.dilation, 1)
    if not plain or last.pool or isinstance(last.layer, nn.Linear):
        why = f"only one 2x2 max pooling per convolution, not {module}"
        raise _refuse(f"'{name}'", why, type(module).__name__)


def block_matrix(layers: list[Tensor], channels: int) -> Tensor:
    """Return the matrix by which a shared block mixes ``channels`` channels.

    Args:
        layers: weights of the block, ``sample c c 1 1`` each, first layer first.
        channels: channels of the map.

    Returns:
        ``sample channel channel``: the block once per group, cut off at the last channel.
    """
    matrix = layers[0].flatten(2)
    for layer in layers[1:]:
        matrix = layer.flatten(2) @ matrix
    size = matrix.shape[-1]
    whole = matrix.new_zeros(matrix.shape[0], channels + size, channels + size)
    for start in range(0, channels, size):
        whole[:, start : start + size, start : start + size] = matrix
    return whole[:, :channels, :channels]
