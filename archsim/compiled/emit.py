"""Write a program as a module of LLVM.

The module has one function, ``archsim_run(inputs, outputs, columns, first, last, memory,
constants)``: it takes designs block by block, from column ``first * block`` on; rows of ``inputs``
and ``outputs`` (``row column``, float64) are elements of the program's inputs and outputs in their
order, ``memory`` is the block's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from archsim.compiled.functions import definitions
from archsim.compiled.instructions import InstructionList, emit, number
from archsim.compiled.loops import LoopLayout, laid_out
from archsim.compiled.operation import Lookup, Operand, Operation, Program
from archsim.compiled.views import CONSTANTS, View

#: Designs of a block: many lanes hide the loops, few keep the block's memory in the cache.
BLOCK = 32
#: Functions that LLVM itself turns into instructions, for one vector.
_INTRINSICS = ("ceil", "floor", "trunc", "rint", "sqrt", "fabs")


@dataclass(frozen=True, eq=False)
class Module:
    """A program as text.

    Attributes:
        text: in the language of LLVM.
        memory: float64 numbers that a block needs.
    """

    text: str
    memory: int


def written(program: Program, width: int) -> Module:
    """Return the module of a program.

    Args:
        program: which.
        width: designs in a vector, of which a block is a multiple.
    """
    layout = laid_out(program)
    loops = [_Loop(layout, width, n, loop).text() for n, loop in enumerate(layout.loops)]
    calls = [f"call void @loop{number}(ptr %W, ptr %K)" for number in range(len(loops))]
    kind = f"<{width} x double>"
    known = [f"declare {kind} @llvm.{n}.v{width}f64({kind})" for n in _INTRINSICS]
    known.append(f"declare {kind} @llvm.fma.v{width}f64({kind}, {kind}, {kind})")
    known.append(
        f"declare {kind} @llvm.masked.gather.v{width}f64.v{width}p0"
        f"(<{width} x ptr>, i32, <{width} x i1>, {kind})"
    )
    run = _run(program, layout, width, calls)
    attributes = 'attributes #0 = { nounwind noinline "no-builtins" }'
    text = "\n".join([*known, definitions(width), *loops, run, attributes])
    return Module(text, max(1, layout.size) * BLOCK)


class _Loop:
    """One loop nest as a function of its own."""

    def __init__(
        self, layout: LoopLayout, width: int, place: int, operations: list[Operation]
    ) -> None:
        self._layout, self._place, self._operations = layout, place, operations
        self._to = InstructionList(width)
        self._shape = operations[0].shape
        self._local: dict[int, str] = {}
        self._loaded: dict[tuple[int, int, tuple[int, ...]], str] = {}

    def text(self) -> str:
        """Return the function."""
        for operation in self._operations:
            self._operation(operation)
        head = [f"define internal void @loop{self._place}(ptr noalias %W, ptr noalias %K) #0 {{"]
        head.append("entry:")
        before = "entry"
        for number_, operation in enumerate(self._operations):
            if operation.start is not None:
                head += self._filled(operation, number_, before)
                before = f"f{number_}x"
        return "\n".join([*head, *_nest(self._shape, self._to, before), "ret void", "}"])

    def _filled(self, operation: Operation, place: int, before: str) -> list[str]:
        """Fill a buffer with what a reduction starts from."""
        to = self._to
        store = operation.target.store
        first = self._layout.places[store] * BLOCK
        size = self._layout.buffer_sizes[store] * BLOCK
        name = f"f{place}"
        return [
            f"br label %{name}",
            f"{name}:",
            f"%{name}i = phi i64 [0, %{before}], [%{name}n, %{name}]",
            f"%{name}a = add i64 %{name}i, {first}",
            f"%{name}p = getelementptr double, ptr %W, i64 %{name}a",
            f"store {to.type} {to.all_of(operation.start or 0.0)}, ptr %{name}p, align 8",
            f"%{name}n = add i64 %{name}i, {to.width}",
            f"%{name}c = icmp ult i64 %{name}n, {size}",
            f"br i1 %{name}c, label %{name}, label %{name}x",
            f"{name}x:",
        ]

    def _operation(self, operation: Operation) -> None:
        to = self._to
        target = operation.target
        args = [self._value(arg) for arg in operation.args]
        if operation.lookup is not None:
            result = self._looked_up(operation, args[0])
        elif operation.reduces:
            result = emit(to, operation.name, [self._load(target), *args])
        else:
            exponent = operation.args[1] if operation.name == "pow" else None
            known = exponent if isinstance(exponent, float) else None
            result = emit(to, operation.name, args, known)
        if target.store in self._layout.local:
            self._local[target.store] = result
            return
        if not operation.through_memory:
            self._local[target.store] = result
        pointer = self._pointer(target)
        to.lines.append(f"store {to.type} {to.as_number(result)}, ptr {pointer}, align 8")

    def _value(self, operand: Operand) -> str:
        if isinstance(operand, float):
            return self._to.all_of(operand)
        if operand.store in self._local:
            return self._local[operand.store]
        return self._load(operand)

    def _load(self, view: View) -> str:
        to = self._to
        strides = tuple(s if n != 1 else 0 for n, s in zip(view.shape, view.strides, strict=True))
        key = view.store, view.offset, strides
        written_here = any(view.store == other.target.store for other in self._operations)
        if key in self._loaded and not written_here:
            return self._loaded[key]
        if view.store == CONSTANTS:
            one = to.new(f"load double, ptr {self._pointer(view)}, align 8")
            value = _spread(to, one)
        else:
            value = to.new(f"load {to.type}, ptr {self._pointer(view)}, align 8")
        self._loaded[key] = value
        return value

    def _pointer(self, view: View) -> str:
        """Return the address of a view's element of this turn of the loop."""
        to = self._to
        constant = view.store == CONSTANTS
        place = 0 if constant else self._layout.places[view.store]
        scale = 1 if constant else BLOCK
        at = str((place + view.offset) * scale)
        for axis, (length, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
            if length != 1 and stride:
                step = to.new(f"mul i64 %r{axis}, {stride * scale}")
                at = to.new(f"add i64 {at}, {step}")
        if not constant:
            at = to.new(f"add i64 {at}, %b")
        return to.new(f"getelementptr double, ptr {'%K' if constant else '%W'}, i64 {at}")

    def _looked_up(self, operation: Operation, index: str) -> str:
        """Read at numbers that differ between designs, kept within the axis."""
        to, lookup = self._to, operation.lookup
        if lookup is None:  # pragma: no cover - the caller has looked
            raise AssertionError("no lookup")
        if isinstance(operation.args[0], View) and operation.args[0].store == CONSTANTS:
            return self._picked(lookup, operation.args[0])
        index, last = to.as_number(index), to.all_of(lookup.length - 1.0)
        index = to.select(to.compare("ogt", index, to.all_of(0.0)), index, to.all_of(0.0))
        index = to.select(to.compare("olt", index, last), index, last)
        short = to.new(f"fptosi {to.type} {index} to <{to.width} x i32>")
        whole = f"<{to.width} x i64>"
        at = to.new(f"sext <{to.width} x i32> {short} to {whole}")
        constant = lookup.view.store == CONSTANTS
        scale = lookup.stride * (1 if constant else BLOCK)
        at = to.new(f"mul {whole} {at}, {_wholes([scale] * to.width)}")
        if not constant:
            at = to.new(f"add {whole} {at}, {_wholes(range(to.width))}")
        base = self._pointer(lookup.view)
        places = to.new(f"getelementptr double, ptr {base}, {whole} {at}")
        on = f"<{', '.join(['i1 true'] * to.width)}>"
        function = f"llvm.masked.gather.v{to.width}f64.v{to.width}p0"
        chosen = f"<{to.width} x ptr> {places}, i32 8, <{to.width} x i1> {on}"
        return to.new(f"call {to.type} @{function}({chosen}, {to.type} zeroinitializer)")

    def _picked(self, lookup: Lookup, index: View) -> str:
        """Read at a number that is the same in all designs."""
        to = self._to
        place = to.new(f"load double, ptr {self._pointer(index)}, align 8")
        whole = to.new(f"fptosi double {place} to i64")
        constant = lookup.view.store == CONSTANTS
        step = to.new(f"mul i64 {whole}, {lookup.stride * (1 if constant else BLOCK)}")
        base = self._pointer(lookup.view)
        pointer = to.new(f"getelementptr double, ptr {base}, i64 {step}")
        if constant:
            return _spread(to, to.new(f"load double, ptr {pointer}, align 8"))
        return to.new(f"load {to.type}, ptr {pointer}, align 8")


def _wholes(values: Iterable[int]) -> str:
    return f"<{', '.join(f'i64 {value}' for value in values)}>"


def _spread(to: InstructionList, one: str) -> str:
    first = to.new(f"insertelement {to.type} poison, double {one}, i32 0")
    zeros = f"<{to.width} x i32> zeroinitializer"
    return to.new(f"shufflevector {to.type} {first}, {to.type} poison, {zeros}")


def _nest(shape: tuple[int, ...], body: InstructionList, before: str) -> list[str]:
    """Put a body into loops over the axes of a shape and the vectors of a block."""
    names = [f"r{axis}" for axis in range(len(shape))] + ["b"]
    ends, steps = [*shape, BLOCK], [1] * len(shape) + [body.width]
    head: list[str] = []
    tail: list[str] = []
    for name, end, step in zip(names, ends, steps, strict=True):
        head += [
            f"br label %h{name}",
            f"h{name}:",
            f"%{name} = phi i64 [0, %{before}], [%n{name}, %e{name}]",
        ]
        before = f"h{name}"
        tail = [
            f"br label %e{name}",
            f"e{name}:",
            f"%n{name} = add i64 %{name}, {step}",
            f"%c{name} = icmp ult i64 %n{name}, {end}",
            f"br i1 %c{name}, label %h{name}, label %x{name}",
            f"x{name}:",
            *tail,
        ]
    return [*head, *body.lines, *tail]


def _run(program: Program, layout: LoopLayout, width: int, calls: list[str]) -> str:
    """Copy a block in, compute it, copy it out."""
    moved, row = [], 0
    for view in program.inputs.values():
        for element in range(math.prod(view.shape)):
            place = (layout.places[view.store] + view.offset + element) * BLOCK
            moved += _moved(f"i{row}", width, ("%in", f"%R{row}"), ("%W", str(place)))
            row += 1
    rows_in = row
    copied, row = [], 0
    for output in program.outputs.values():
        source = _source(output, layout)
        copied += _moved(f"o{row}", width, source, ("%out", f"%R{row}"))
        row += 1
    rows = [f"%R{n} = add i64 %at, {'%M' + str(n)}" for n in range(max(rows_in, row))]
    products = [f"%M{n} = mul i64 %columns, {n}" for n in range(max(rows_in, row))]
    return "\n".join(
        [
            "define void @archsim_run(ptr %in, ptr %out, i64 %columns, i64 %first, i64 %last, "
            "ptr %W, ptr %K) {",
            "entry:",
            *products,
            "%any = icmp ult i64 %first, %last",
            "br i1 %any, label %block, label %done",
            "block:",
            "%n = phi i64 [%first, %entry], [%next, %end]",
            f"%at = mul i64 %n, {BLOCK}",
            *rows,
            *moved,
            *calls,
            *copied,
            "br label %end",
            "end:",
            "%next = add i64 %n, 1",
            "%more = icmp ult i64 %next, %last",
            "br i1 %more, label %block, label %done",
            "done:",
            "ret void",
            "}",
        ]
    )


def _source(output: Operand, layout: LoopLayout) -> tuple[str, str]:
    if isinstance(output, float):
        return "", number(output)
    if output.store == CONSTANTS:
        return "%K", str(output.offset)
    return "%W", str((layout.places[output.store] + output.offset) * BLOCK)


def _moved(name: str, width: int, source: tuple[str, str], target: tuple[str, str]) -> list[str]:
    """Copy one row of a block; all vectors are written out."""
    kind, lines = f"<{width} x double>", []
    to = InstructionList(width)
    for vector in range(0, BLOCK, width):
        key = f"%{name}_{vector}"
        where, at = source
        if not where:
            value = f"<{', '.join([f'double {at}'] * width)}>"
        elif where == "%K":
            lines.append(f"{key}p = getelementptr double, ptr %K, i64 {at}")
            lines.append(f"{key}s = load double, ptr {key}p, align 8")
            lines.append(f"{key}f = insertelement {to.type} poison, double {key}s, i32 0")
            zeros = f"<{width} x i32> zeroinitializer"
            lines.append(f"{key}v = shufflevector {kind} {key}f, {kind} poison, {zeros}")
            value = f"{key}v"
        else:
            lines.append(f"{key}a = add i64 {at}, {vector}")
            lines.append(f"{key}p = getelementptr double, ptr {where}, i64 {key}a")
            lines.append(f"{key}v = load {kind}, ptr {key}p, align 8")
            value = f"{key}v"
        lines.append(f"{key}b = add i64 {target[1]}, {vector}")
        lines.append(f"{key}q = getelementptr double, ptr {target[0]}, i64 {key}b")
        lines.append(f"store {kind} {value}, ptr {key}q, align 8")
    return lines
