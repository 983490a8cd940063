"""Calls of a model through ``torch.export``: shapes are propagated without computing anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, fx, nn
from torch._ops import HigherOrderOperator, OpOverload
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from archsim.network.frontend.call import Call, Data, Trace, Weight
from archsim.network.frontend.named import named_operator
from archsim.network.frontend.operators import CREATES, NUMBER_FORMATS, SPLITS, VIEWS
from archsim.network.source import Recipe


def export_calls(
    module: nn.Module, example: tuple[Tensor, ...], named: Mapping[str, Tensor] | None = None
) -> Trace:
    """Trace ``module``, in evaluation mode, on inputs shaped like ``example``.

    Args:
        module: The model.
        example: Inputs by position, each with a batch axis of 1 first.
        named: Inputs by name.

    Raises:
        Exception: Whatever ``torch.export`` raises when it cannot trace the model.
    """
    with torch.no_grad(), _plain_attention():
        program = torch.export.export(module, example, dict(named or {}), strict=False)
        if any(_is_transform(node) for node in program.graph.nodes):
            program = program.run_decompositions({})
    return _Reader(program).read()


def _is_transform(node: fx.Node) -> bool:
    """Whether a node begins or ends ``vmap``, ``jvp`` or another transform of functions.

    What runs inside has the shapes of one of many, until the operators are written out.
    """
    return str(getattr(node.target, "__module__", "")).startswith("torch._functorch")


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Keep PyTorch from fusing a transformer layer, weights and all, into one operator."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@dataclass
class _Reader:
    """Walks an exported graph once; ``seen`` maps each node to the tensor that it stands for."""

    program: ExportedProgram
    seen: dict[fx.Node, Data | Weight] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    inputs: list[Data] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    constant: list[Call] = field(default_factory=list)
    views: dict[fx.Node, fx.Node] = field(default_factory=dict)
    stale: set[fx.Node] = field(default_factory=set)
    renewed: int = 0

    def read(self) -> Trace:
        placeholders = self._placeholders()
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self._input(node, placeholders.get(node.name))
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                values = (self.seen.get(used) for used in node.all_input_nodes)
                self.outputs += [value.id for value in values if isinstance(value, Data)]
        return Trace(
            inputs=tuple(self.inputs),
            calls=tuple(self.calls),
            outputs=tuple(self.outputs),
            constant=tuple(self.constant),
        )

    def _placeholders(self) -> dict[str, tuple[str, bool]]:
        """State-dict name, and whether it is a parameter, of every placeholder for a weight."""
        return {
            spec.arg.name: (spec.target or spec.arg.name, spec.kind is InputKind.PARAMETER)
            for spec in self.program.graph_signature.input_specs
            if spec.kind is not InputKind.USER_INPUT and hasattr(spec.arg, "name")
        }

    def _input(self, node: fx.Node, weight: tuple[str, bool] | None) -> None:
        shape = _shape(node)
        if shape is None:
            return
        is_complex = _is_complex(node)
        if weight is None:
            data = Data(id=node.name, shape=shape, is_complex=is_complex)
            self.inputs.append(data)
            self.seen[node] = data
        else:
            self.seen[node] = Weight(
                name=weight[0],
                shape=shape,
                elements=torch.Size(shape).numel() * (1 + is_complex),
                trainable=weight[1],
                is_complex=is_complex,
                recipe=self._stored(weight[0]),
            )

    def _call(self, node: fx.Node) -> None:
        shape = _shape(node)
        if shape is None:  # assertions and sizes
            return
        for used in node.all_input_nodes:
            self._refresh(used)
        sources = [self.seen[used] for used in node.all_input_nodes if used in self.seen]
        parent = self._parent(node)
        if parent is not None:
            self.views[node] = parent
        if not any(isinstance(source, Data) for source in sources):
            weights = cast("list[Weight]", sources)
            derived = _derived(node.name, shape, weights, self._formula(node))
            self.seen[node] = replace(
                derived, is_complex=_is_complex(node), recipe=self._recipe(node)
            )
            self.constant.append(self._read_call(node, _operator_name(node)[0], shape))
            return
        if _name(node) in NUMBER_FORMATS and isinstance(sources[0], Data):
            self.seen[node] = sources[0]
            return
        if isinstance(node.target, HigherOrderOperator):
            raise ValueError(f"the nested region '{node.target}' is not supported")
        op, in_place = _operator_name(node)
        if op in CREATES:
            self.seen[node] = _derived(node.name, shape, [], "")
            return
        self.calls.append(self._read_call(node, op, shape))
        self.seen[node] = Data(id=node.name, shape=shape, is_complex=_is_complex(node))
        if in_place:
            self._write(node, node.all_input_nodes[0])

    def _parent(self, node: fx.Node) -> fx.Node | None:
        """The node whose values ``node`` shows, all or a part; None where it has its own."""
        name = _name(node)
        shows = name in VIEWS
        if name == "getitem":
            shows = _name(node.all_input_nodes[0]) in SPLITS
        return node.all_input_nodes[0] if shows and node.all_input_nodes else None

    def _write(self, node: fx.Node, target: fx.Node) -> None:
        """Let whoever reads ``target`` later read what ``node`` wrote into it.

        Where it shows values of another tensor, they have changed there too, and in all that shows
        them.
        """
        self.seen[target] = self.seen[node]
        root = self._root(target)
        self.stale |= {view for view in self.views if self._root(view) is root} - {target, node}
        self.views.pop(node, None)
        self.stale.discard(target)
        if root is target:
            return
        shape = _shape(root)
        if shape is None:  # a list of parts
            return
        args = {"input": self.seen.get(root), "src": self.seen[node]}
        module, _ = _owner(node)
        call = Call(
            id=f"{node.name}_written",
            op="slice_scatter",
            args=args,
            shape=shape,
            module=module,
            leaf=False,
        )
        self.calls.append(call)
        self.seen[root] = Data(id=call.id, shape=shape, is_complex=_is_complex(root))

    def _root(self, node: fx.Node) -> fx.Node:
        while node in self.views:
            node = self.views[node]
        return node

    def _refresh(self, node: fx.Node) -> None:
        """Read a view anew where the tensor that it shows was written to."""
        if node not in self.stale:
            return
        self.stale.discard(node)
        self._refresh(self.views[node])
        shape = _shape(node)
        if shape is None:
            return
        self.renewed += 1
        call = self._read_call(node, _operator_name(node)[0], shape)
        call = replace(call, id=f"{call.id}_again{self.renewed}")
        if call.data:
            self.calls.append(call)
            self.seen[node] = Data(id=call.id, shape=shape, is_complex=_is_complex(node))

    def _read_call(self, node: fx.Node, op: str, shape: tuple[int, ...]) -> Call:
        args = {name: self._argument(value) for name, value in _bind(node).items()}
        module, leaf = _owner(node)
        return Call(id=node.name, op=op, args=args, shape=shape, module=module, leaf=leaf)

    def _stored(self, name: str) -> Recipe:
        """A tensor of the model, or one that it has no name for."""
        constant = self.program.constants.get(name)
        if name in self.program.state_dict or not isinstance(constant, Tensor):
            return Recipe(name=name)
        return Recipe(constant=constant)

    def _recipe(self, node: fx.Node) -> Recipe:
        return Recipe(
            operator=_operator_name(node)[0],
            compute=_computation(node.target),
            args=tuple(self._recipes(value) for value in node.args),
            kwargs={name: self._recipes(value) for name, value in node.kwargs.items()},
        )

    def _formula(self, node: fx.Node) -> str:
        """Digest of a computation on weights: equal for equal operators of equal arguments."""
        arguments = {
            name: (value.name, value.formula) if isinstance(value, Weight) else value
            for name, value in ((n, self._argument(v)) for n, v in _bind(node).items())
        }
        text = f"{node.target} {arguments}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _recipes(self, value: object) -> object:
        """An argument with recipes in the place of stored tensors."""
        if isinstance(value, fx.Node):
            weight = self.seen.get(value)
            return weight.recipe if isinstance(weight, Weight) else None
        if isinstance(value, list | tuple):
            return [self._recipes(item) for item in value]
        return value

    def _argument(self, value: object) -> object:
        if isinstance(value, fx.Node):
            return self.seen.get(value)
        if isinstance(value, list | tuple):
            return tuple(self._argument(item) for item in value)
        return value


def _derived(name: str, shape: tuple[int, ...], sources: list[Weight], formula: str) -> Weight:
    """The weight that a computation on ``sources`` alone gives, named for the one it comes from."""
    elements = torch.Size(shape).numel()
    ranked = sorted(sources, key=lambda w: (not w.trainable, w.elements != elements, -w.elements))
    if not ranked:
        return Weight(name=name, shape=shape, elements=elements, trainable=False)
    origin = ranked[0]
    return Weight(
        name=origin.name,
        shape=shape,
        elements=origin.elements,
        trainable=origin.trainable,
        formula=formula,
    )


def _computation(target: object) -> Callable[..., object] | None:
    """What a node calls, in a form that can be sent to another process."""
    if isinstance(target, OpOverload):
        namespace, _, name = target.name().partition("::")
        return partial(named_operator, namespace, name.partition(".")[0], target._overloadname)
    plain = callable(target) and not isinstance(target, HigherOrderOperator)
    return cast("Callable[..., object]", target) if plain else None


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    """Shape of the first tensor that ``node`` gives; None if it gives none."""
    value = node.meta.get("val")
    if isinstance(value, list | tuple):
        value = next((item for item in value if isinstance(item, Tensor)), None)
    return tuple(int(size) for size in value.shape) if isinstance(value, Tensor) else None


def _is_complex(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_complex()


def _name(node: fx.Node) -> str:
    packet = getattr(node.target, "overloadpacket", node.target)
    return str(getattr(packet, "__name__", packet))


def _operator_name(node: fx.Node) -> tuple[str, bool]:
    name = _name(node)
    in_place = name.endswith("_") and not name.endswith("__")
    return name.rstrip("_") if in_place else name, in_place


def _bind(node: fx.Node) -> Mapping[str, object]:
    """Arguments by schema name, with the schema's defaults filled in."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {**{str(i): value for i, value in enumerate(node.args)}, **node.kwargs}
    bound: dict[str, object] = {
        argument.name: argument.default_value
        for argument in schema.arguments
        if argument.has_default_value()
    }
    names = [argument.name for argument in schema.arguments]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return {name: given.get(name, bound.get(name)) for name in names}


def _owner(node: fx.Node) -> tuple[str, bool]:
    """Path of the innermost module around ``node``, and whether it is a childless PyTorch layer."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", False
    path, kind = stack[-1]
    kind_name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    leaf = kind_name.startswith("torch.nn.modules.") and not kind_name.startswith(_CONTAINERS)
    return path.split("@")[0], leaf


_CONTAINERS = (
    "torch.nn.modules.container",
    "torch.nn.modules.transformer",
    "torch.nn.modules.activation.MultiheadAttention",
)
