"""The network that is programmed, as its layer graph stores it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from archsim.errors import Code, NetworkError
from archsim.network import LayerGraph
from archsim.network.inputs import Dtypes, Shapes
from archsim.network.load import graph_of_module
from tsb.cells.stored import check_known, layer_names, stored_network


@dataclass(frozen=True, eq=False, kw_only=True)
class Programmable:
    """A network whose weights are the matrices that ``archsim map`` counts.

    Attributes:
        model: see :func:`tsb.cells.stored.stored_network`.
        graph: its layer graph; None where there is none.
        untraced: why there is none; "" where there is one.
    """

    model: nn.Module
    graph: LayerGraph | None
    untraced: str = ""


def programmable(
    model: nn.Module,
    *,
    network: str,
    input_shape: Shapes | None = None,
    input_dtype: Dtypes | None = None,
    image_shape: tuple[int, ...] | None = None,
) -> Programmable:
    """Find the matrices of a network.

    Without a layer graph they are those of its convolutions and linear layers, if it has no other
    weights that could be matrices.

    Args:
        model: of :func:`archsim.network.load.load_module`, with its weights.
        network: its name.
        input_shape: of one input, or shapes by name; None takes the network's own.
        input_dtype: number format of the input, or formats by name.
        image_shape: of the data that it is measured on; taken where the network has no shape.

    Raises:
        NetworkError: a matrix that cannot be programmed, by name; weights of which is not known
            whether they are matrices; a shape or format with which it cannot be traced.
    """
    given = input_shape is not None or input_dtype is not None
    if input_shape is None and not isinstance(getattr(model, "input_shape", None), tuple):
        input_shape = image_shape
    try:
        graph = graph_of_module(network, model, input_shape=input_shape, input_dtype=input_dtype)
    except NetworkError as error:
        if given or error.code is Code.UNSUPPORTED_OPERATOR:
            raise
        why = str(error)
        check_known(model, network, why)
        return Programmable(model=model, graph=None, untraced=why)
    return Programmable(model=stored_network(model, graph), graph=graph)


def known_network(
    model: nn.Module, network: str = "", *, image_shape: tuple[int, ...] | None = None
) -> nn.Module:
    """Return a network whose matrices are known: as it is, or that of :func:`programmable`.

    Args:
        model: perhaps of :func:`tsb.cells.stored.stored_network`.
        network: its name; "" takes the class.
        image_shape: of the data; taken where the network has no shape of its own.

    Raises:
        NetworkError: as :func:`programmable`.
    """
    if layer_names(model) is not None:
        return model
    name = network or type(model).__name__
    return programmable(model, network=name, image_shape=image_shape).model
