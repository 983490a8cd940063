"""The layer graph of a run, kept in its folder: to look at a run needs no code of its network."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from archsim.errors import Code, DataError
from archsim.network.graph import LayerGraph
from archsim.network.operation import Beforehand, Op
from archsim.util.atomic_write import write_whole
from archsim.util.files import MAX_JSON_BYTES, is_file, read_regular

_FILE = "network.json"


class _Stored(BaseModel):
    name: str
    input_shape: tuple[int, ...]
    parameters: int
    ops: tuple[Op, ...]
    beforehand: tuple[Beforehand, ...]


_FORM = TypeAdapter(_Stored)


def keep_graph(graph: LayerGraph, run: Path) -> None:
    """Write a layer graph into the folder of a run.

    Args:
        graph: of the run's network.
        run: the folder.

    Raises:
        DataError: it cannot be written.
    """
    stored = _Stored(
        name=graph.name,
        input_shape=graph.input_shape,
        parameters=graph.parameters,
        ops=graph.ops,
        beforehand=graph.beforehand,
    )
    write_whole(run / _FILE, _FORM.dump_json(stored) + b"\n")


def stored_graph(run: Path) -> LayerGraph | None:
    """Return the layer graph that a run keeps; None where it keeps none.

    Args:
        run: its folder.

    Raises:
        DataError: it is damaged.
    """
    path = run / _FILE
    if not is_file(path):
        return None
    try:
        stored = _FORM.validate_json(read_regular(path, MAX_JSON_BYTES))
    except ValidationError as error:
        said = (
            f"no layer graph: {error.error_count()} errors, the first: {error.errors()[0]['msg']}"
        )
        raise DataError.of(Code.DAMAGED_FILE, path, problem=said) from error
    return LayerGraph.from_ops(
        stored.name, stored.input_shape, stored.ops, stored.parameters, stored.beforehand
    )
