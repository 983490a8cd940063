"""An eager run over a batch of designs, compiled for all designs like them.

The recording is made of designs of the batch itself: those with the smallest and the largest value
of every field that varies, some with each value of those that take few, and others at even
distances. Designs that do not pass the guards of the recording are added to it once or twice.

Before a program is used, it is held against the eager engine: on the designs that were recorded
and on others that were not. A program that differs is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.compiled.emit import BLOCK, written
from archsim.compiled.lower import VALID, lowered
from archsim.compiled.object_file import LoadedObject, compiled, vector_width
from archsim.compiled.record import record
from archsim.compiled.refusal import NotCompiledError
from archsim.compiled.simplify import simplified

#: Evaluates a batch: columns, ``n``, by name.
Evaluate = Callable[[DesignBatch], Mapping[str, Tensor]]
#: Designs of a recording: a prime far from powers of two, so that no other axis is as long.
RECORDED = 269
#: Other designs that a new program is held against.
_HELD = 256
#: Largest difference to the eager engine, relative.
TOLERANCE = 1e-12
#: Most distinct values of a field that are all in the recording.
_FEW = 64
#: Recordings that are made until all designs pass the guards, or most of them.
_ATTEMPTS = 3


@dataclasses.dataclass(frozen=True, eq=False)
class CompiledRun:
    """A compiled run.

    Attributes:
        inputs: fields that vary, in order.
        outputs: columns, in order; the last is whether a design passes the guards.
        dtypes: of the columns.
        loaded: the object.
        memory: float64 numbers that a thread needs.
        constants: that the object reads.
        from_cache: whether the object was compiled before.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dtypes: Mapping[str, torch.dtype]
    loaded: LoadedObject
    memory: int
    constants: np.ndarray
    from_cache: bool

    def run(self, design: DesignBatch, threads: int = 1) -> tuple[dict[str, Tensor], Tensor]:
        """Return the columns of designs, and which of them are valid, ``n``.

        Args:
            design: shape ``(n,)``, alike to those of the recording in all fields that do not vary.
            threads: of this process.
        """
        (count,) = design.batch_shape
        blocks = -(-count // BLOCK)
        given = _rows(varying(design), self.inputs, blocks * BLOCK)
        results = np.empty((len(self.outputs), blocks * BLOCK))
        borders = [blocks * part // threads for part in range(threads + 1)]

        def work(part: int) -> None:
            memory = np.zeros(self.memory)
            self.loaded.run(
                given.ctypes.data, results.ctypes.data, blocks * BLOCK,
                borders[part], borders[part + 1], memory.ctypes.data, self.constants.ctypes.data,
            )  # fmt: skip

        if threads == 1:
            work(0)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, range(threads)))
        rows = torch.from_numpy(results[:, :count])
        columns = {
            name: row.to(self.dtypes[name])
            for name, row in zip(self.outputs[:-1], rows, strict=False)
        }
        return columns, rows[-1] != 0


def build(design: DesignBatch, evaluate: Evaluate, folder: Path | None) -> CompiledRun:
    """Record, compile and check a run.

    Args:
        design: shape ``(n,)``; the program is for designs alike to these.
        evaluate: the run.
        folder: of compiled objects; None: they are not kept.

    Raises:
        NotCompiledError: it cannot be done; the text says why.
    """
    if not varying(design):
        raise NotCompiledError("all designs are the same")
    chosen = _representatives(design)
    for attempt in range(_ATTEMPTS):
        program, expected = _built(design.index(chosen), evaluate, folder)
        _check(program, design.index(chosen), expected)
        valid = program.run(design)[1]
        left = (~valid).nonzero().squeeze(1)
        if not len(left) or attempt == _ATTEMPTS - 1:
            break
        chosen = _with(chosen, left)
    (count,) = design.batch_shape
    held = design.index(_spread(count, _HELD) + (count > 2 * _HELD))
    _check(program, held, evaluate(held))
    return program


def varying(design: DesignBatch) -> dict[str, Tensor]:
    """Return the fields of designs that differ between them, by name; constants of lists are not.

    Args:
        design: shape ``(n,)``.
    """
    technology = design.technology
    if technology.index(0) is not technology:
        raise NotCompiledError("technologies that vary over the batch")
    names = design.parameters()
    return {name: getattr(design, name) for name in names if getattr(design, name).dim()}


def _rows(fields: Mapping[str, Tensor], names: tuple[str, ...], columns: int) -> np.ndarray:
    """Return fields as rows of float64; the last design fills the last block."""
    rows = np.empty((len(names), columns))
    for row, name in zip(rows, names, strict=True):
        values = fields[name].detach().numpy()
        row[: len(values)] = values
        row[len(values) :] = values[-1]
    return rows


def _built(
    design: DesignBatch, evaluate: Evaluate, folder: Path | None
) -> tuple[CompiledRun, dict[str, Tensor]]:
    fields = varying(design)
    with torch.no_grad():
        evaluate(design)  # what is remembered between runs is remembered now
    tape, results, expected = record(RECORDED, fields, lambda: evaluate(design))
    program = lowered(*simplified(tape, results))
    width = vector_width()
    module = written(program, width)
    content, from_cache = compiled(module.text, folder)
    dtypes = {name: column.dtype for name, column in expected.items()}
    ready = CompiledRun(
        inputs=tuple(program.inputs),
        outputs=tuple(program.outputs),
        dtypes=dtypes,
        loaded=LoadedObject(content),
        memory=module.memory,
        constants=program.constants,
        from_cache=from_cache,
    )
    if ready.outputs[-1] != VALID:  # pragma: no cover - the lowering puts it last
        raise AssertionError("outputs in another order")
    return ready, expected


def _check(program: CompiledRun, design: DesignBatch, expected: Mapping[str, Tensor]) -> None:
    """Hold a program against the eager engine."""
    columns, valid = program.run(design)
    if 2 * int(valid.sum()) < len(valid):
        raise NotCompiledError("the compiled engine gives other guards than the eager one")
    for name, wanted in expected.items():
        if not bool(same(columns[name], wanted)[valid].all()):
            raise NotCompiledError(f"the compiled engine gives another {name} than the eager one")


def same(values: Tensor, wanted: Tensor) -> Tensor:
    """Return where two columns agree to :data:`TOLERANCE`; infinite and undefined ones exactly.

    Args:
        values: one.
        wanted: the other.
    """
    if not wanted.is_floating_point():
        return values == wanted
    near = (values - wanted).abs() <= TOLERANCE * wanted.abs()
    return near | (values == wanted) | (values.isnan() & wanted.isnan())


def _representatives(design: DesignBatch) -> Tensor:
    """Choose designs to record, ``RECORDED`` numbers of them."""
    (count,) = design.batch_shape
    chosen: list[int] = []
    for values in (field.double() for field in varying(design).values()):
        chosen += [int(values.argmin()), int(values.argmax())]
        distinct, place = values.unique(return_inverse=True)
        if len(distinct) <= _FEW:
            first = torch.full((len(distinct),), count, dtype=torch.int64)
            first.scatter_reduce_(0, place, torch.arange(count), "amin")
            chosen += first.tolist()
    rest = _spread(count, RECORDED).tolist()
    return torch.tensor([*dict.fromkeys(chosen), *rest][:RECORDED])


def _spread(count: int, many: int) -> Tensor:
    """Choose numbers below a count at even distances."""
    return (torch.arange(many, dtype=torch.float64) * (count - 1) / many).long()


def _with(chosen: Tensor, others: Tensor) -> Tensor:
    """Put some designs in the place of the last half of those that are recorded."""
    half = RECORDED // 2
    more = others[_spread(len(others), min(half, len(others)))]
    return torch.cat([chosen[: RECORDED - len(more)], more])
