"""What other tools leave in ONNX files, and old operator sets: made plain before the file is read.

Accelerator tools write attributes and operators of their own into a model, sometimes without naming
their operator set. Old operator sets are brought up by ONNX's own converter. What is changed is
noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from archsim.errors import Code
from archsim.network.frontend.onnx_file import first_line, printable, refused

if TYPE_CHECKING:
    import onnx

#: Names of ONNX's own domain.
OWN = ("", "ai.onnx")
#: Oldest operator set that is read as it is, and the oldest that is converted to it.
MIN_OPSET, OLDEST_OPSET = 11, 7
#: The domain of operators that ONNX Runtime writes into ONNX's own.
MICROSOFT = "com.microsoft"
_WRITTEN_AS_OWN = frozenset(
    {
        *("LayerNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization"),
        *("Gelu", "FastGelu", "BiasGelu", "RMSNormalization", "Attention", "RotaryEmbedding"),
        *("MatMulNBits", "FusedConv", "FusedMatMul", "EmbedLayerNormalization", "QuickGelu"),
    }
)
#: Most notes of one kind that are listed.
_MOST = 6


def make_plain(path: Path, proto: onnx.ModelProto) -> list[str]:
    """Change ``proto`` so that ONNX's checker takes it, and return what was changed.

    Operator sets of foreign operators that are not named get version 1; attributes that no version
    of an operator has are left out; operators of ONNX Runtime that stand in ONNX's own domain move
    to its own.

    Raises:
        NetworkError: An operator of ONNX's own domain is in none of its operator sets.
    """
    version = max((int(o.version) for o in proto.opset_import if o.domain in OWN), default=0)
    functions = {(str(f.domain), str(f.name)) for f in proto.functions}
    dropped: Counter[str] = Counter()
    for node in _all_nodes(proto):
        if node.domain in OWN and (str(node.domain), str(node.op_type)) not in functions:
            _move(path, node, version)
        dropped.update(_drop_attributes(node, version))
    notes = _import_domains(proto)
    if dropped:
        listed = [f"{what} (x{count})" if count > 1 else what for what, count in dropped.items()]
        notes.append(f"attributes that ONNX does not know are ignored: {_some(listed)}")
    return notes


def upgraded(path: Path, proto: onnx.ModelProto, notes: list[str]) -> onnx.ModelProto:
    """``proto`` in operator set 11 or newer, by ONNX's version converter.

    Raises:
        NetworkError: The converter refuses the model.
    """
    from onnx import version_converter

    version = max(int(o.version) for o in proto.opset_import if o.domain in OWN)
    if version >= MIN_OPSET:
        return proto
    try:
        converted: onnx.ModelProto = version_converter.convert_version(proto, MIN_OPSET)
    except Exception as error:
        raise refused(
            path,
            f"uses operator set {version}, and onnx.version_converter cannot bring it to "
            f"{MIN_OPSET}: {first_line(error)}. Export it again with opset_version={MIN_OPSET} or "
            "newer",
            code=Code.UNSUPPORTED,
            value=version,
            allowed=f"{MIN_OPSET} and newer",
        ) from error
    notes.append(f"operator set {version} was brought to {MIN_OPSET} by onnx.version_converter")
    return converted


def _all_nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    pending = [*proto.graph.node, *(node for f in proto.functions for node in f.node)]
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            graphs = [attribute.g, *attribute.graphs] if attribute.HasField("g") else []
            pending += [inner for graph in graphs for inner in graph.node]


def _move(path: Path, node: onnx.NodeProto, version: int) -> None:
    from onnx import defs

    op = str(node.op_type)
    if not version or defs.has(op, version, ""):
        return
    if op in _WRITTEN_AS_OWN:
        node.domain = MICROSOFT
        return
    newer = defs.has(op)
    where = f"{defs.get_schema(op).since_version} and newer" if newer else None
    name = printable(str(node.name) or next(filter(None, node.output), ""))
    known = f"it came with set {where}" if newer else "no set of ONNX has it"
    raise refused(
        path,
        f"has the node '{name}' ({printable(op)}), which operator set {version} does not have: "
        f"{known}. If it belongs to another tool, write its domain into the node; else export the "
        "model again without it",
        code=Code.UNSUPPORTED_OPERATOR,
        value=printable(op),
        allowed=where,
    )


def _drop_attributes(node: onnx.NodeProto, version: int) -> list[str]:
    """Leave out the attributes of ``node`` that no version of its operator has; name them."""
    from onnx import defs

    op = str(node.op_type)
    if node.domain not in OWN or not version or not defs.has(op, version, ""):
        return []
    known = set(defs.get_schema(op, version, "").attributes)
    foreign = [a for a in node.attribute if a.name not in known and a.name not in _history()[op]]
    for attribute in foreign:
        node.attribute.remove(attribute)
    return [printable(f"{attribute.name} of {op}", 80) for attribute in foreign]


_HISTORY: dict[str, set[str]] = {}


def _history() -> dict[str, set[str]]:
    """Attributes by operator, over all versions: one of another version must not be passed over."""
    from onnx import defs

    if not _HISTORY:
        for schema in defs.get_all_schemas_with_history():
            if schema.domain in OWN:
                _HISTORY.setdefault(schema.name, set()).update(schema.attributes)
    return _HISTORY


def _import_domains(proto: onnx.ModelProto) -> list[str]:
    named = {str(o.domain) for o in proto.opset_import}
    used = {str(node.domain) for node in _all_nodes(proto)} - set(OWN)
    missing = sorted(used - named)
    for domain in missing:
        entry = proto.opset_import.add()
        entry.domain, entry.version = domain, 1
    foreign = [printable(domain, 80) for domain in missing if domain != MICROSOFT]
    if not foreign:
        return []
    return [f"the file names no operator set of {_some(foreign)}; version 1 is taken"]


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _MOST} more" if len(listed) > _MOST else ""
    return ", ".join(listed[:_MOST]) + more
