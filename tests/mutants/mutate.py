"""Single-line mutations of Python source: what a careless edit might leave behind.

Operators and comparisons are swapped, numbers changed, flags turned, ``min`` and ``max``, ``ceil``
and ``floor`` exchanged, and calls that are statements (checks, above all) dropped. Annotations,
decorators, texts and what is marked as not covered are left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
    ast.BitXor: ("^", "|"),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_NAMES = {"min": "max", "minimum": "maximum", "ceil": "floor", "amax": "amin", "any": "all"}
_NAMES |= {other: name for name, other in _NAMES.items()} | {"clamp_min": "clamp_max"}


@dataclass(frozen=True, order=True)
class Mutation:
    """``before`` at an offset of a file's text becomes ``after``; ``line`` counts from 1."""

    path: str
    line: int
    start: int
    before: str
    after: str

    def of(self, source: str) -> str:
        """The text of the file with this mutation."""
        end = self.start + len(self.before)
        if source[self.start : end] != self.before:
            raise ValueError(f"{self.path}:{self.line} is not {self.before!r}")
        return source[: self.start] + self.after + source[end:]

    def said(self, source: str) -> str:
        """Where it is, and what the line becomes."""
        line = self.of(source).splitlines()[self.line - 1].strip()
        return f"{self.path}:{self.line}: {' '.join(self.before.split())} -> {self.after}: {line}"


def mutations(source: str, path: str) -> list[Mutation]:
    """Return every mutation of a file, in the order of its lines.

    Args:
        source: its text, of ASCII: columns are bytes.
        path: to name it by.
    """
    return sorted(set(_Finder(source, path).visit(ast.parse(source))))


class _Finder:
    """Walks a file and yields its mutations."""

    def __init__(self, source: str, path: str) -> None:
        self.source, self.path = source, path
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def visit(self, node: ast.AST) -> Iterator[Mutation]:
        """Mutations of a node and of all below it."""
        if isinstance(node, ast.JoinedStr) or _is_checked_by_types_alone(node):
            return
        if isinstance(node, ast.expr | ast.stmt) and self._is_left_out(node):
            return
        yield from self._own(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self.visit(child)

    def _own(self, node: ast.AST) -> Iterator[Mutation]:
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                yield from self._between(left, right, *_ARITHMETIC[type(op)])
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                yield from self._between(left, right, *_COMPARISONS[type(op)])
            case ast.BoolOp(op=op, values=[left, right, *_]):
                words = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
                yield from self._between(left, right, *words)
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield from self._at(self._start(node), self._start(operand), "")
            case ast.Constant(value=bool() | int() | float() as value):
                yield from self._at(self._start(node), self._end(node), _other(value))
            case ast.Call(func=ast.Attribute(attr=name) as called) if name in _NAMES:
                yield from self._at(self._end(called) - len(name), self._end(called), _NAMES[name])
            case ast.Call(func=ast.Name(id=name) as called) if name in _NAMES:
                yield from self._at(self._start(called), self._end(called), _NAMES[name])
            case ast.Expr(value=ast.Call()):
                yield from self._at(self._start(node), self._end(node), "pass")

    def _between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Iterator[Mutation]:
        begin, end = self._end(left), self._start(right)
        gap = self.source[begin:end]
        if "#" not in gap and gap.count(old) == 1:
            place = begin + gap.index(old)
            yield from self._at(place, place + len(old), new)

    def _at(self, start: int, end: int, new: str) -> Iterator[Mutation]:
        line = self.source.count("\n", 0, start) + 1
        yield Mutation(self.path, line, start, self.source[start:end], new)

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def _is_left_out(self, node: ast.expr | ast.stmt) -> bool:
        line = self.source[self.starts[node.lineno - 1] : self.starts[node.lineno]]
        return "pragma: no cover" in line


def _is_checked_by_types_alone(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _other(value: bool | int | float) -> str:
    """Another number: one more, or twice as much; the other truth value."""
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int):
        return str(value + 1)
    return repr(2 * value if value else 1.0)
