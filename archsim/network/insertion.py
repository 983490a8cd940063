"""Residual structure of a network, and the places where a TSB can go.

A TSB mixes the channels of a map: of a convolution's output the second axis, of tokens the last.

A *residual add* joins a main branch with a shortcut that starts at the same operation and holds
fewer matrix layers (or, for as many, smaller kernels). Two branches of equal weight are no residual
block, and no step of a recurrence is one (``h = a * h + b``, a cell unrolled in time). A product
network (DenseNet) concatenates and has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import networkx as nx

from archsim.errors import Code, NetworkError, close_matches
from archsim.network.layer import LayerKind, MvmLayer
from archsim.network.operation import FREE_KINDS, MATRIX_KINDS, Op, OpKind
from archsim.network.signs import signed_values

#: Rules of :meth:`archsim.network.graph.LayerGraph.insertion_points`, besides patterns.
RULES = ("default", "convolution", "residual_block")
#: What a rule by name begins with.
PATTERN = "pattern:"


@dataclass(frozen=True, kw_only=True)
class InsertionPoint:
    """A place for a TSB: a map of ``channels`` x ``height`` x ``width``.

    Attributes:
        name: Path of the module whose output the TSB reads: the convolution, or the residual block.
            Where a module holds several residual adds, or the model itself does: the same as
            ``after``.
        after: The operation that computes the map: the convolution, or the block's add. A block's
            ReLU, if it has one, comes between ``after`` and the output of module ``name``; the map
            has the same size on both sides of it.
        channels: Channels of the map.
        height: Rows of the map.
        width: Columns of the map.
        channels_last: Whether the channels are the tensor's last axis (tokens), not the second.
        signed: Whether the map that the TSB reads may be negative.
    """

    name: str
    after: str
    channels: int
    height: int
    width: int
    channels_last: bool = False
    signed: bool = True


@dataclass(frozen=True, kw_only=True)
class ResidualAdd:
    """A residual add, the edge that its shortcut ends in, and the matrix layers on the shortcut."""

    add: str
    skip_from: str
    shortcut_layers: tuple[str, ...]


def residual_adds(graph: nx.DiGraph[str]) -> tuple[ResidualAdd, ...]:
    """Find the residual adds of ``graph`` (nodes carry an :class:`Op` as ``op``), in node order."""
    adds = [name for name in graph if _op(graph, name).kind is OpKind.ADD]
    if not adds:
        return ()
    rooted: nx.DiGraph[str] = nx.DiGraph(graph)
    sources = [name for name in graph if graph.in_degree(name) == 0]
    rooted.add_edges_from(("", source) for source in sources)  # no operation is called ""
    dominators: dict[str, str] = nx.immediate_dominators(rooted, "")
    candidates = (_residual_add(graph, add, fork=dominators[add]) for add in adds)
    return tuple(residual for residual in candidates if residual is not None)


def insertion_points(
    graph: nx.DiGraph[str], network: str, rule: str, *, include_shortcuts: bool
) -> tuple[InsertionPoint, ...]:
    """Find the places for a TSB; see :meth:`archsim.network.graph.LayerGraph.insertion_points`."""
    points = _points(graph, network, rule, include_shortcuts=include_shortcuts)
    ends, signed = _module_ends(graph), signed_values(graph)
    return tuple(
        replace(point, signed=ends.get(point.name, point.after) in signed) for point in points
    )


def _points(
    graph: nx.DiGraph[str], network: str, rule: str, *, include_shortcuts: bool
) -> tuple[InsertionPoint, ...]:
    if rule.startswith(PATTERN):
        return _named(graph, network, rule.removeprefix(PATTERN))
    if rule not in RULES:
        raise NetworkError(
            f"network '{network}': unknown insertion rule '{rule}'; allowed are "
            f"{', '.join(RULES)} and {PATTERN}NAMES.{close_matches(rule, RULES)}",
            code=Code.UNKNOWN_NAME,
            field="insertion",
            value=rule,
            allowed=(*RULES, f"{PATTERN}NAMES"),
        )
    residuals = residual_adds(graph)
    if rule == "default":
        rule = "residual_block" if residuals else "convolution"
    if rule == "residual_block":
        points = _after_blocks(graph, tuple(residual.add for residual in residuals))
    else:
        skip = {layer for residual in residuals for layer in residual.shortcut_layers}
        points = _after_convolutions(graph, excluded=() if include_shortcuts else skip)
    if not points:
        raise NetworkError(
            f"network '{network}': rule '{rule}' finds no place for a TSB; the network has "
            f"{_census(graph)}. A TSB needs a convolution ('convolution') or a residual add "
            f"('residual_block'), or layers that you name ('{PATTERN}fc*'); or use design 'none' "
            "for this network",
            code=Code.EMPTY,
            field="insertion",
            value=rule,
        )
    return points


def _op(graph: nx.DiGraph[str], name: str) -> Op:
    op: Op = graph.nodes[name]["op"]
    return op


def _residual_add(graph: nx.DiGraph[str], add: str, fork: str) -> ResidualAdd | None:
    operands = list(graph.predecessors(add))
    if len(operands) != 2 or fork == "":
        return None
    left, right = operands
    if _op(graph, left).shape != _op(graph, right).shape:
        return None
    loads = {operand: _branch_load(graph, fork, operand) for operand in operands}
    if loads[left] == loads[right]:
        return None
    skip, main = sorted(operands, key=loads.__getitem__)
    if _is_recurrence(graph, fork, skip, main):
        return None
    only_skip = _branch(graph, fork, skip) - _branch(graph, fork, main)
    return ResidualAdd(
        add=add,
        skip_from=skip,
        shortcut_layers=tuple(
            name for name in graph if name in only_skip and _op(graph, name).kind in MATRIX_KINDS
        ),
    )


def _is_recurrence(graph: nx.DiGraph[str], fork: str, skip: str, main: str) -> bool:
    """Whether an add is a step of a recurrence, ``h = a * h + b``, and joins no shortcut.

    A shortcut hands on the map that the main branch starts from. In a recurrence what is added
    comes of a product of two computed operands (a gate, a decay, an input times its projection), or
    both branches start from parts of one tensor, its steps.
    """
    shortcut = _branch(graph, fork, skip)
    if any(_is_product(_op(graph, name)) for name in shortcut):
        return True
    inside = shortcut | _branch(graph, fork, main)
    begins = [name for name in graph.successors(fork) if name in inside]
    return len(begins) > 1 and all(_op(graph, name).target in _PARTS for name in begins)


#: Operators that give one part of a tensor.
_PARTS = frozenset({"select", "slice", "getitem", "narrow", "unbind", "chunk", "split", "gather"})


def _is_product(op: Op) -> bool:
    """Whether two operands that are both computed are multiplied with each other."""
    if op.kind in (OpKind.MATMUL, OpKind.ATTENTION):
        return True
    return op.target in ("mul", "addcmul", "lerp") and len(op.inputs) > 1


def _branch(graph: nx.DiGraph[str], fork: str, end: str) -> set[str]:
    """Operations after ``fork`` on any path to ``end``, ``end`` included."""
    if end == fork:
        return set()
    before: set[str] = nx.ancestors(graph, end)
    behind: set[str] = nx.descendants(graph, fork)
    return (before & behind) | {end}


def _branch_load(graph: nx.DiGraph[str], fork: str, end: str) -> tuple[int, int]:
    """Most matrix layers, then most kernel pixels, on one path from ``fork`` to ``end``."""
    branch = _branch(graph, fork, end)
    load: dict[str, tuple[int, int]] = {}
    for name in (node for node in graph if node in branch):  # node order is execution order
        before = max((load[p] for p in graph.predecessors(name) if p in load), default=(0, 0))
        layer = _op(graph, name).layer
        of_layer = (0, 0) if layer is None else (1, layer.kernel_h * layer.kernel_w)
        load[name] = (before[0] + of_layer[0], before[1] + of_layer[1])
    return load.get(end, (0, 0))


def _after_convolutions(
    graph: nx.DiGraph[str], excluded: Iterable[str]
) -> tuple[InsertionPoint, ...]:
    skipped = set(excluded)
    operations = [_op(graph, name) for name in graph if name not in skipped]
    return tuple(_after(graph, op) for op in operations if op.kind is OpKind.CONV)


def _after_blocks(graph: nx.DiGraph[str], adds: tuple[str, ...]) -> tuple[InsertionPoint, ...]:
    modules = [_op(graph, add).module for add in adds]
    return tuple(
        _after(graph, _op(graph, add), module if module and modules.count(module) == 1 else add)
        for add, module in zip(adds, modules, strict=True)
    )


def _named(graph: nx.DiGraph[str], network: str, text: str) -> tuple[InsertionPoint, ...]:
    """After the operations, or the modules, of some names: see :meth:`LayerGraph.insertion_points`.

    The output of a module is that of the last operation inside it.
    """
    ends = _module_ends(graph)
    chosen: dict[str, str] = {}
    for pattern in (part.strip() for part in text.split(",")):
        matches = re.compile(_regex(pattern)).fullmatch
        is_wild = re.search(r"[*?]", pattern) is not None
        named = {_computed(graph, end): module for module, end in ends.items() if matches(module)}
        named |= {
            _computed(graph, name): name
            for name in graph
            if matches(name) and not (is_wild and _op(graph, name).kind not in _MAPS)
        }
        if not named:
            known = dict.fromkeys([*graph, *ends])
            raise NetworkError(
                f"network '{network}': no operation and no module is called '{pattern}' (* stands "
                f"for a part between dots, ** for several).{close_matches(pattern, known)}",
                code=Code.UNKNOWN_NAME,
                field="insertion",
                value=pattern,
                allowed=tuple(known),
            )
        chosen |= {end: name for end, name in named.items() if end not in chosen}
    for name in chosen:
        _check_place(_op(graph, name), network)
    return tuple(_after(graph, _op(graph, name), chosen[name]) for name in graph if name in chosen)


def _computed(graph: nx.DiGraph[str], name: str) -> str:
    """The operation whose values ``name`` hands on: itself, unless it is a dropout."""
    while _op(graph, name).kind is OpKind.DROPOUT:
        name = next(iter(graph.predecessors(name)))
    return name


def _regex(pattern: str) -> str:
    """A pattern of module paths as a regular expression."""
    parts = {"**": ".*", "*": r"[^.]*", "?": r"[^.]"}
    return "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*|\?)", pattern))


def _module_ends(graph: nx.DiGraph[str]) -> dict[str, str]:
    """The last operation inside every module."""
    ends: dict[str, str] = {}
    for name in graph:
        path = _op(graph, name).module
        while path:
            ends[path] = name
            path = path.rpartition(".")[0]
    return ends


#: Kinds whose output is a map with channels.
_WITH_CHANNELS = frozenset(OpKind) - {
    *(OpKind.INPUT, OpKind.OTHER, OpKind.MATMUL),
    OpKind.ATTENTION,  # a map per head
}
#: Of these, what a pattern with wildcards means: not what only hands on values.
_MAPS = _WITH_CHANNELS - FREE_KINDS


def _check_place(op: Op, network: str) -> None:
    if op.kind not in _WITH_CHANNELS or len(op.shape) < 2:
        raise NetworkError(
            f"network '{network}': a TSB cannot follow '{op.name}' ({op.target}, shape "
            f"{op.shape}), which is no map with channels; name a layer, a block or a residual add",
            code=Code.UNSUPPORTED_OPERATOR,
            field=op.name,
            value=op.target,
        )


def _after(graph: nx.DiGraph[str], op: Op, name: str | None = None) -> InsertionPoint:
    """The place after an operation; the patches of a transposed convolution are added up first."""
    follower = next(iter(graph.successors(op.name)), "")
    if follower and _op(graph, follower).target == "overlap_add":
        op = _op(graph, follower)
        name = name or follower.removesuffix(".overlap_add")
    last = _channels_last(graph, op)
    channels = op.shape[-1] if last else op.shape[1]
    pixels = op.elements // channels
    height, width = (1, 1, *(op.shape[1:-1] if last else op.shape[2:]))[-2:]
    if height * width != pixels:  # further axes, such as windows and planes
        height, width = 1, pixels
    return InsertionPoint(
        name=name or op.name,
        after=op.name,
        channels=channels,
        height=height,
        width=width,
        channels_last=last,
    )


#: Operators that move axes.
_MOVES = frozenset({"permute", "transpose", "movedim", "moveaxis", "swapaxes", "t", "mT"})


def _channels_last(graph: nx.DiGraph[str], op: Op) -> bool:
    """Whether the channels are the last axis, going by the nearest matrix layer upstream.

    Where both ends are as wide as that layer: as it leaves them, unless axes are moved in between.
    """
    if len(op.shape) < 3:
        return True
    if op.layer is not None:
        return op.layer.kind is LayerKind.LINEAR
    upstream: set[str] = nx.ancestors(graph, op.name)
    layers = (_op(graph, name).layer for name in reversed(list(graph)) if name in upstream)
    nearest = next((layer for layer in layers if layer is not None), None)
    if nearest is None:
        return False
    first, last = (size == nearest.out_channels for size in (op.shape[1], op.shape[-1]))
    if first != last:
        return last
    behind: set[str] = nx.descendants(graph, nearest.name)
    between = upstream & behind
    moved = sum(_op(graph, name).target in _MOVES for name in between) % 2 == 1
    return moved != (nearest.kind is LayerKind.LINEAR)


def picked_of(graph: nx.DiGraph[str], layer: MvmLayer) -> int | None:
    """How many matrices of ``layer`` a router picks for a vector: those of the top-k before it."""
    upstream: set[str] = nx.ancestors(graph, layer.name)
    for name in reversed([node for node in graph if node in upstream]):
        op = _op(graph, name)
        if op.target == "topk" and op.inputs:
            choices, picked = _op(graph, op.inputs[0]).shape[-1], op.shape[-1]
            if choices >= layer.groups >= picked:
                return picked
    return None


def _census(graph: nx.DiGraph[str]) -> str:
    kinds = [_op(graph, name).kind for name in graph]
    counted = (OpKind.CONV, OpKind.LINEAR, OpKind.ADD)
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in counted) + " operations"
