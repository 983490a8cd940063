"""Names: which module of the original model a node of an ONNX graph belongs to.

PyTorch's exporters write it down: the present one in the notes of the node, the older one in its
name (``/layer1/layer1.0/conv1/Conv``). Models of other origin have nodes with names or without.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from archsim.network.frontend.call import Weight
from archsim.network.frontend.onnx_file import printable
from archsim.network.frontend.onnx_model import Node

_QUOTED = re.compile(r"'([^']*)'")
_SCOPES = "pkg.torch.onnx.name_scopes"
_CLASSES = "pkg.torch.onnx.class_hierarchy"
#: PyTorch modules that hold others; a node in one of them does not have its name.
_CONTAINERS = (
    "torch.nn.modules.container",
    "torch.nn.modules.transformer",
    "torch.nn.modules.activation.MultiheadAttention",
)
#: A name that says whose weight a tensor is.
_SAYS_OWNER = re.compile(r"[._]weight(_[gv]|_orig)?$|\.original\d*$")
#: What quantisation tools append to the name of a tensor.
_QUANTISED = re.compile(r"_(quantized|q|DequantizeLinear_Output|QuantizeLinear_Output)$")


@dataclass(frozen=True)
class NodeModule:
    """The module of a node.

    Attributes:
        module: Its path.
        leaf: Whether the node has the name of that module.
        nodes: Nodes of that module, if it has no modules inside; else 0.
    """

    module: str
    leaf: bool
    nodes: int = 0


def places(nodes: Iterable[Node]) -> list[NodeModule]:
    """The place of each node of ``nodes``."""
    paths = [(node, _scope(node)) for node in nodes]
    inside = Counter(path for _, path in paths if path)
    parents = {parent for path in inside for parent in _above(path)}
    return [
        _place(node, path, nodes=0 if path in parents else inside[path or ""])
        for node, path in paths
    ]


def _place(node: Node, path: str | None, *, nodes: int) -> NodeModule:
    if path is None:
        return NodeModule(module=node.name, leaf=bool(node.name))
    classes = _QUOTED.findall(node.notes.get(_CLASSES, ""))
    if len(classes) > 1:
        leaf = classes[-2].startswith("torch.nn.modules.")
        leaf = leaf and not classes[-2].startswith(_CONTAINERS)
        return NodeModule(module=path, leaf=leaf, nodes=nodes)
    return NodeModule(module=path, leaf=nodes == 1, nodes=nodes)


def _scope(node: Node) -> str | None:
    """Path of the module around a node; None where the exporter did not write it down."""
    if _SCOPES in node.notes:
        scopes = _QUOTED.findall(node.notes[_SCOPES])
        return printable(scopes[-2]) if len(scopes) > 1 else ""
    if not node.name.startswith("/"):
        return None
    path: list[str] = []
    for part in node.name.split("/")[1:-1]:
        if path and part.startswith(f"{path[-1]}."):  # layer1, then layer1.0
            path.pop()
        path.append(part)
    return ".".join(path)


def _above(path: str) -> Iterable[str]:
    parts = path.split(".")
    return (".".join(parts[:i]) for i in range(1, len(parts)))


@dataclass
class WeightNames:
    """Gives each stored tensor one name, that of its module where the file tells it.

    Attributes:
        final: Name by the tensor's name in the file.
        used: How often each name was asked for.
    """

    final: dict[str, str] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)

    def of(self, weight: Weight, place: NodeModule, last: str = "weight") -> Weight:
        """``weight`` under its final name, for a node at ``place``.

        Args:
            weight: As the file names it.
            place: Of the node that applies it.
            last: The end of the name, where the place gives its beginning.
        """
        if weight.name not in self.final:
            self.final[weight.name] = self._free(_name(weight.name, place, last))
        return replace(weight, name=self.final[weight.name])

    def _free(self, name: str) -> str:
        """``name``, with a number where another tensor has it already."""
        base, dot, end = name.rpartition(".")
        free = name
        while free in self.used:
            count = self.used[name] + 1
            self.used[name] = count
            free = f"{base}_{count}{dot}{end}" if dot else f"{name}_{count}"
        self.used[free] += 1
        return free


def _name(stored: str, place: NodeModule, last: str) -> str:
    plain = printable(_QUANTISED.sub("", stored))
    if _SAYS_OWNER.search(plain):
        return plain
    return f"{place.module}.{last}" if place.module else plain
