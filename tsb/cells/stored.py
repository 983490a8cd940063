"""The weights of a network as a chip stores them: the matrices that the layer graph counts.

Each matrix layer of the graph has one matrix, whatever module, function or formula it comes from,
and modules that the graph does not use have none. There are three ways to give a network the
matrices that its cells hold:

- *whole*: a tensor of the model is one matrix, outputs first, and nothing else reads it. It is
  programmed under its own name: convolutions, linear layers, gates of recurrent layers.
- *part*: matrices are parts of a tensor, or lie in it otherwise (three stacked projections, a
  transposed convolution, ``x @ W``). The tensor is put together from them.
- *product*: the tensor has other readers too (a table that is also a decoder, a matrix that is used
  as it is and transposed: the graph stores both), or is computed (weight norm). The matrix is
  exchanged in the product that takes it: :mod:`tsb.cells.exchange`.

A network of whole tensors stays as it is. Any other gets a :class:`StoredNetwork` in front, of
which all matrices are parameters, outputs first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from archsim.errors import NOT_GIVEN, Code, NetworkError
from archsim.network.graph import LayerGraph
from archsim.network.source import LayerMatrix, MatrixSource
from tsb.cells.exchange import Exchange, Exchanged

#: Attribute of a model that says which of its weights are matrices of which layers.
_RECORD = "_archsim_layer_of"
#: Name below which a stored network has the matrices that are no whole tensors.
_CONTAINER = "stored"
#: What has a matrix as a weight, by its class; for networks without a layer graph.
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_TABLES = (nn.Embedding, nn.EmbeddingBag)


def mapped_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that lie on crossbars, by name, in order of definition, outputs first.

    Those of the layer graph that :func:`stored_network` was given; without one, those of all
    convolutions and linear layers. Each is there once however often it is used; biases and batch
    norms are digital.

    Args:
        model: the network.
    """
    record = layer_names(model)
    if record is None:
        owners = {id(m.weight) for m in model.modules() if isinstance(m, _LAYERS)}
        return {name: p for name, p in model.named_parameters() if id(p) in owners}
    tensors = _tensors(model)
    return {name: tensors[name] for name in record}  # type: ignore[misc]  # buffers may be weights


def layer_names(model: nn.Module) -> Mapping[str, str] | None:
    """Return the layer of each weight on crossbars, by its name; None without a layer graph.

    Args:
        model: from :func:`stored_network`.
    """
    record: Mapping[str, str] | None = model.__dict__.get(_RECORD)
    return record


def stored_network(model: nn.Module, graph: LayerGraph) -> nn.Module:
    """Return a network whose :func:`mapped_weights` are the matrices of its layer graph.

    It is the model itself where all of these are whole tensors. Else it is a
    :class:`StoredNetwork` that shares all tensors with the model.

    Args:
        model: the network; or what this function returned before.
        graph: of the same network.

    Raises:
        NetworkError: a matrix that cannot be programmed, by name.
    """
    if isinstance(model, StoredNetwork):
        return model
    rows = _rows(model, graph)
    if any(row.place != "whole" for row in rows):
        return StoredNetwork(model, rows)
    model.__dict__[_RECORD] = {row.name: row.layer for row in rows}
    return model


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights on crossbars with gradient to the parameters they come from.

    Args:
        model: from :func:`stored_network`; that of :func:`mapped_weights`, but for matrices that
            are computed or moved, which are so anew.
    """
    if isinstance(model, StoredNetwork):
        return model.computed()
    return dict(mapped_weights(model))


def stored_tensors(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the model that are put together from weights on crossbars.

    Args:
        model: from :func:`stored_network`.
        weights: of :func:`mapped_weights`, as cells hold them.

    Returns:
        Tensors that are no weights themselves, by name; none where all weights are whole tensors.
    """
    if isinstance(model, StoredNetwork):
        return {name: tensor.detach() for name, tensor in model.together(weights).items()}
    return {}


def check_known(model: nn.Module, network: str, why: str) -> None:
    """Check that without a layer graph no weights are forgotten.

    Args:
        model: the network.
        network: its name.
        why: there is no graph.

    Raises:
        NetworkError: a trained tensor that may be a matrix and is none of a convolution or linear
            layer.
    """
    known = {
        id(p)
        for module in model.modules()
        if isinstance(module, (*_LAYERS, *_TABLES))
        for p in module.parameters(recurse=False)
    }
    for name, parameter in model.named_parameters():
        if id(parameter) not in known and sum(size > 1 for size in parameter.shape) > 1:
            raise NetworkError(
                f"network '{network}': whether '{name}' is stored in cells is not known without "
                f"the layer graph ({why})",
                code=Code.UNSUPPORTED,
                field=name,
                value=tuple(parameter.shape),
                allowed="networks that archsim map takes",
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Row:
    """One matrix: its name among the weights, its layer, and how it gets into the network.

    ``tensor`` is the whole tensor, or the one that it is a part of; ``index`` where its values are
    in that one.
    """

    name: str
    layer: str
    place: str
    source: MatrixSource
    tensor: str = ""
    index: Tensor | None = None


class StoredNetwork(nn.Module):
    """A network whose matrices are parameters, whatever they are in the model.

    It shares modules and tensors with the model; matrices that are no whole tensors are in
    ``stored``, by layer, with ``/`` for the dots of its name. What they are computed from has no
    influence any more.
    """

    def __init__(self, base: nn.Module, rows: Iterable[_Row]) -> None:
        """Share what the model has, and add what is not whole.

        Args:
            base: the model.
            rows: its matrices.
        """
        super().__init__()
        self.__dict__ |= {
            "base": base,  # not a module of its own: its parts are
            "rows": tuple(rows),
            "training": base.training,
            "_parameters": base._parameters,
            "_buffers": base._buffers,
            "_non_persistent_buffers_set": base._non_persistent_buffers_set,
            "_modules": dict(base._modules),
        }
        self.__dict__[_RECORD] = {row.name: row.layer for row in self.rows}
        held = nn.Module()
        for name, matrix in self.computed().items():
            if name not in _tensors(base):
                held.register_parameter(_short(name), nn.Parameter(matrix.detach().clone()))
        self._modules[_CONTAINER] = held

    def __getattr__(self, name: str) -> Any:
        """Give what the model has: its input shape, its number of classes..."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "base" not in self.__dict__:
                raise
            return getattr(self.__dict__["base"], name)

    def computed(self) -> dict[str, Tensor]:
        """Return all matrices as the model computes them, with gradient to its parameters."""
        tensors = _tensors(self.__dict__["base"])
        return {row.name: row.source.layout.matrix(_value(row, tensors)) for row in self.rows}

    def together(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of the model of which matrices are parts.

        Args:
            weights: matrices by name.
        """
        tensors = _tensors(self.__dict__["base"])
        made: dict[str, Tensor] = {}
        for row in self.rows:
            if row.index is not None and row.name in weights:
                whole = made.get(row.tensor, tensors[row.tensor])
                place, values = row.index.to(whole.device), weights[row.name]
                flat = whole.flatten().to(values.dtype).index_copy(0, place, values.flatten())
                made[row.tensor] = flat.view(whole.shape)
        return made

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model on the matrices that this network has."""
        base = self.__dict__["base"]
        base.training = self.training
        held = self.get_submodule(_CONTAINER)
        weights: dict[str, Tensor] = {
            row.name: getattr(held, _short(row.name)) for row in self.rows if row.place != "whole"
        }
        products = [
            Exchanged(
                layer=row.layer,
                tensors=frozenset(row.source.recipe.tensors),
                shape=torch.Size(row.source.shape),
                value=row.source.layout.tensor(weights[row.name], torch.Size(row.source.shape)),
            )
            for row in self.rows
            if row.place == "product"
        ]
        together = self.together(weights)
        if not products:
            return torch.func.functional_call(base, together, args, kwargs)
        with Exchange(_tensors(base), products):
            return torch.func.functional_call(base, together, args, kwargs)


def _short(name: str) -> str:
    return name.removeprefix(f"{_CONTAINER}.")


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers by all of their names."""
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }


def _rows(model: nn.Module, graph: LayerGraph) -> list[_Row]:
    """The matrices of a graph, in order of definition of the tensors they come from."""
    tensors = _tensors(model)
    first: dict[int, str] = {}
    for name, held in tensors.items():
        first.setdefault(id(held), name)
    order = {name: place for place, name in enumerate(tensors)}
    sharing: dict[str, list[LayerMatrix]] = defaultdict(list)
    sources = {matrix.layer: _source(matrix, graph, tensors) for matrix in graph.stored}
    origins = {
        layer: [first[id(tensors[name])] for name in source.recipe.tensors]
        for layer, source in sources.items()
    }
    for matrix in graph.stored:
        for origin in origins[matrix.layer]:
            sharing[origin].append(matrix)
    parts = {origin: _parts(tensors[origin], found) for origin, found in sharing.items()}
    rows = []
    for matrix in graph.stored:
        source, names = sources[matrix.layer], origins[matrix.layer]
        tensor = names[0] if names else ""
        index = parts.get(tensor, {}).get(matrix.layer)
        plain = source.recipe.name != "" and source.layout.is_plain
        whole = plain and matrix.alone and len(sharing[tensor]) == 1
        place = "whole" if whole else "product" if index is None else "part"
        row = _Row(
            name=tensor if whole else f"{_CONTAINER}.{matrix.layer.replace('.', '/')}",
            layer=matrix.layer,
            place=place,
            source=source,
            tensor=tensor,
            index=None if place != "part" else index,
        )
        _check(row, matrix, tensors)
        rows.append(row)
    rows.sort(key=lambda row: order.get(row.tensor, len(order)))
    return rows


def _source(matrix: LayerMatrix, graph: LayerGraph, tensors: Mapping[str, Tensor]) -> MatrixSource:
    """Where a matrix comes from.

    Raises:
        NetworkError: that is not known, or not in this model.
    """
    source = matrix.source
    if source is None:
        raise _refusal(matrix.layer, "where its weights come from is not known")
    for name in source.recipe.tensors:
        if name not in tensors:
            raise _refusal(matrix.layer, f"network '{graph.name}' has no tensor '{name}'", name)
    return source


def _parts(whole: Tensor, matrices: Iterable[LayerMatrix]) -> dict[str, Tensor]:
    """Places of matrices in the one tensor that all of them are parts of, by layer.

    Empty where a value is in several of them, is computed, or is read otherwise too.
    """
    places: dict[str, Tensor] = {}
    numbers: Tensor | None = None
    for matrix in matrices:
        source = matrix.source
        if source is None or not (matrix.alone and source.recipe.moves_only):
            return {}
        if numbers is None:
            numbers = torch.arange(whole.numel()).view(whole.shape)
        value = source.recipe.value(dict.fromkeys(source.recipe.tensors, numbers))
        places[matrix.layer] = source.layout.matrix(value).flatten()
    used = torch.cat(list(places.values()))
    return places if len(used.unique()) == len(used) else {}


def _value(row: _Row, tensors: Mapping[str, Tensor]) -> Tensor:
    """The tensor that the layer of a row takes.

    Raises:
        NetworkError: it cannot be computed, or is of another kind than cells can hold.
    """
    try:
        value = row.source.recipe.value(tensors)
    except (TypeError, KeyError, RuntimeError, NotImplementedError) as error:
        raise _refusal(row.layer, f"its weights cannot be computed ({error})") from error
    if not value.is_floating_point():
        raise _refusal(row.layer, f"its weights are {value.dtype}", str(value.dtype))
    return value


def _check(row: _Row, matrix: LayerMatrix, tensors: Mapping[str, Tensor]) -> None:
    """Check that a matrix can be programmed, and is the one that was counted.

    Raises:
        NetworkError: it is not.
    """
    with torch.no_grad():
        value = tensors[row.tensor] if row.place == "whole" else _value(row, tensors)
        if not value.is_floating_point():
            raise _refusal(row.layer, f"its weights are {value.dtype}", str(value.dtype))
        found = row.source.layout.matrix(value).numel()
    if found != matrix.elements:
        why = f"it has {found} weights, and the layer {matrix.elements}"
        raise _refusal(row.layer, why, found)


def _refusal(layer: str, why: str, value: object = NOT_GIVEN) -> NetworkError:
    return NetworkError(
        f"layer '{layer}' cannot be programmed: {why}; archsim map can price it",
        code=Code.UNSUPPORTED,
        field=layer,
        value=value,
        allowed="real weights that are computed of the network's own tensors",
    )
