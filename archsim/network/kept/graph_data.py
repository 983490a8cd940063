"""A layer graph as plain data, and back.

What is left out has the default of its field. Where a matrix comes from (``origins``) is a list of
steps; each refers to those before it by number. A graph that is not the same after it was written
and read is not written at all: one that holds a tensor, or a function that has no name.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from archsim.network.frontend.named import operator_called, operator_name
from archsim.network.graph import LayerGraph
from archsim.network.layer import LayerKind, MvmLayer, Pool, PoolKind
from archsim.network.operation import Beforehand, Op, OpKind
from archsim.network.source import MatrixLayout, MatrixSource, Origins, Recipe

#: Changes when the form does.
FORMAT = 1
#: Key of a step among the arguments of another.
_STEP = "step"


class NotPlainError(ValueError):
    """A graph that plain data cannot hold."""


def to_text(graph: LayerGraph) -> str:
    """Return a graph as JSON, one operation a line.

    Args:
        graph: of any network.

    Raises:
        NotPlainError: it would not be the same after reading.
    """
    data = _to_data(graph)
    lines = [f"{json.dumps(name)}: {_text(value)}" for name, value in data.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if _to_data(from_data(json.loads(text))) != data or not _same(graph, from_data(data)):
        raise NotPlainError("something in it has no plain form")
    return text


def from_data(data: Mapping[str, Any]) -> LayerGraph:
    """Return the graph that :func:`to_text` wrote.

    Args:
        data: the parsed JSON.

    Raises:
        Exception: whatever damaged data lead to.
    """
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}; this version reads {FORMAT}")
    return LayerGraph.from_ops(
        data["name"],
        _tuple(data["input_shape"]),
        [_op(one) for one in data["ops"]],
        data["parameters"],
        tuple(Beforehand(**one) for one in data["beforehand"]),
        tuple(data["notes"]),
        _origins(data),
    )


def _text(value: object) -> str:
    """JSON of a value; items of a list on lines of their own."""
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n " + ",\n ".join(json.dumps(item) for item in value) + "\n]"


def _to_data(graph: LayerGraph) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    known: dict[int, int] = {}
    sources = {
        name: {
            "recipe": _step(source.recipe, steps, known),
            "shape": _plain(source.shape),
            "layout": _fields(source.layout),
        }
        for name, source in graph.origins.sources.items()
    }
    return {
        "format": FORMAT,
        "name": graph.name,
        "input_shape": _plain(graph.input_shape),
        "parameters": graph.parameters,
        "beforehand": [_fields(one) for one in graph.beforehand],
        "notes": list(graph.notes),
        "ops": [_fields(op) for op in graph.ops],
        "steps": steps,
        "sources": [[name, source] for name, source in sources.items()],
        "reads": sorted(graph.origins.reads),
    }


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that have not their default."""
    return {
        entry.name: _plain(getattr(value, entry.name))
        for entry in dataclasses.fields(value)
        if getattr(value, entry.name) != entry.default
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON has it.

    Raises:
        NotPlainError: JSON has no such value.
    """
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise NotPlainError(f"a value of type {type(value).__name__}")


def _step(recipe: Recipe, steps: list[dict[str, Any]], known: dict[int, int]) -> int:
    """Add a recipe to the steps, and return its number.

    Raises:
        NotPlainError: it holds a tensor, or a function without a name.
    """
    if id(recipe) in known:
        return known[id(recipe)]
    if recipe.constant is not None:
        raise NotPlainError("a tensor without a name")
    step: dict[str, Any] = {
        "name": recipe.name,
        "operator": recipe.operator,
        "compute": _compute(recipe),
        "args": [_argument(value, steps, known) for value in recipe.args],
        "kwargs": {name: _argument(value, steps, known) for name, value in recipe.kwargs.items()},
    }
    steps.append({name: value for name, value in step.items() if value})
    known[id(recipe)] = len(steps) - 1
    return known[id(recipe)]


def _compute(recipe: Recipe) -> list[str] | None:
    if recipe.compute is None:
        return None
    name = operator_name(recipe.compute)
    if name is None:
        raise NotPlainError(f"'{recipe.operator}' has no name in PyTorch")
    return list(name)


def _argument(value: object, steps: list[dict[str, Any]], known: dict[int, int]) -> Any:
    if isinstance(value, Recipe):
        return {_STEP: _step(value, steps, known)}
    if isinstance(value, list):
        return [_argument(item, steps, known) for item in value]
    if isinstance(value, tuple):
        raise NotPlainError("a tuple among arguments, which would come back as a list")
    return _plain(value)


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(_tuple(item) if isinstance(item, list) else item for item in value)


def _op(data: Mapping[str, Any]) -> Op:
    said = _frozen(data, {"kind": OpKind, "pool": _pool, "layer": _layer})
    return Op(**said)


def _layer(data: Mapping[str, Any]) -> MvmLayer:
    return MvmLayer(**_frozen(data, {"kind": LayerKind, "pool": _pool}))


def _pool(data: Mapping[str, Any]) -> Pool:
    return Pool(**_frozen(data, {"kind": PoolKind}))


def _frozen(data: Mapping[str, Any], read: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as their class has them: lists are tuples, and some have a reader."""
    return {
        name: read[name](value)
        if name in read
        else _tuple(value)
        if isinstance(value, list)
        else value
        for name, value in data.items()
    }


def _origins(data: Mapping[str, Any]) -> Origins:
    steps: list[Recipe] = []

    def read(value: Any) -> Any:
        if isinstance(value, dict):
            return steps[value[_STEP]]
        return [read(item) for item in value] if isinstance(value, list) else value

    for step in data["steps"]:
        compute = step.get("compute")
        steps.append(
            Recipe(
                name=step.get("name", ""),
                operator=step.get("operator", ""),
                compute=None if compute is None else operator_called(*compute),
                args=tuple(read(value) for value in step.get("args", ())),
                kwargs={name: read(value) for name, value in step.get("kwargs", {}).items()},
            )
        )
    return Origins(
        sources={
            name: MatrixSource(
                recipe=steps[source["recipe"]],
                shape=_tuple(source["shape"]),
                layout=MatrixLayout(**_frozen(source["layout"], {})),
            )
            for name, source in data["sources"]
        },
        reads=frozenset(data["reads"]),
    )


def _same(one: LayerGraph, other: LayerGraph) -> bool:
    """Whether two graphs are equal in all but the origins, which :func:`_to_data` compares."""
    return (
        one.ops == other.ops
        and list(one.graph.edges) == list(other.graph.edges)
        and (one.name, one.input_shape, one.parameters, one.beforehand, one.notes)
        == (other.name, other.input_shape, other.parameters, other.beforehand, other.notes)
    )
