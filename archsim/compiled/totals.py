"""Columns of a batch by compiled programs, and by the eager engine where there is none.

Programs are remembered by everything that they hold fixed: the network, the columns, which fields
vary, and the values of all that do not. A design that no program is valid for, and a batch that
nothing can be compiled for, are computed by the eager engine; a :class:`Tally` counts them with the
reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Hashable
from pathlib import Path

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.compiled.program import CompiledRun, Evaluate, build, varying
from archsim.compiled.refusal import NotCompiledError

#: Designs from which compiling pays: recording and compiling take as long as so many eagerly.
PAYS_FROM = 50_000
#: Programs that a process remembers, and most of them for one kind of batch.
_REMEMBERED, _PER_KIND = 16, 3
#: Share of designs that pass no guard from which another program is made.
_MANY = 0.05

#: Reasons that are counted; others are the texts of refusals.
FEW = "fewer designs than compiling pays for"
OUTSIDE = "designs outside what was recorded"


@dataclasses.dataclass(eq=False)
class Tally:
    """What computed the designs of a run.

    Attributes:
        compiled: designs by compiled programs.
        eager: designs by the eager engine, by reason.
        built: programs that were made, by whether their object was in the cache.
    """

    compiled: int = 0
    eager: Counter[str] = dataclasses.field(default_factory=Counter)
    built: Counter[bool] = dataclasses.field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Add what another run counted."""
        self.compiled += other.compiled
        self.eager += other.eager
        self.built += other.built


@dataclasses.dataclass(eq=False)
class _Known:
    """Programs of one kind of batch, and why there is no more of them."""

    programs: list[CompiledRun] = dataclasses.field(default_factory=list)
    refused: str = ""


_known: OrderedDict[Hashable, _Known] = OrderedDict()
_lock = threading.Lock()


def compiled_columns(
    design: DesignBatch,
    evaluate: Evaluate,
    *,
    key: Hashable,
    eager: Evaluate,
    tally: Tally,
    folder: Path | None,
    threads: int = 1,
    least: int = PAYS_FROM,
) -> dict[str, Tensor]:
    """Return columns of designs, ``n``, by name: as the eager engine gives them.

    Args:
        design: shape ``(n,)``.
        evaluate: one batch in one piece, which is what is recorded.
        key: of all that ``evaluate`` depends on beside the designs.
        eager: a batch of any size.
        tally: counts what was done.
        folder: of compiled objects; None: they are not kept.
        threads: of this process.
        least: designs from which a program is made; known ones are used for any batch.
    """
    (count,) = design.batch_shape
    try:
        columns, valid = _by_programs(design, evaluate, key, folder, tally, threads, least)
    except NotCompiledError as error:
        tally.eager[str(error)] += count
        return dict(eager(design))
    except Exception as error:  # noqa: BLE001 - nothing that goes wrong here may end a run
        tally.eager[f"{type(error).__name__}: {error}"] += count
        return dict(eager(design))
    left = (~valid).nonzero().squeeze(1)
    tally.compiled += count - len(left)
    if len(left):
        tally.eager[OUTSIDE] += len(left)
        for name, values in eager(design.index(left)).items():
            columns[name][left] = values
    return columns


def _by_programs(
    design: DesignBatch,
    evaluate: Evaluate,
    key: Hashable,
    folder: Path | None,
    tally: Tally,
    threads: int,
    least: int,
) -> tuple[dict[str, Tensor], Tensor]:
    """Return columns, and where they are valid; a program is made where many are not.

    Raises:
        NotCompiledError: there is no program.
    """
    (count,) = design.batch_shape
    kind = key, _fixed(design)
    columns: dict[str, Tensor] = {}
    valid = torch.zeros(count, dtype=torch.bool)
    seen = 0
    while seen < _PER_KIND and not bool(valid.all()):
        program = _program(kind, seen, design, ~valid, evaluate, folder, tally, least)
        if program is None:
            break
        seen += 1
        others, also = program.run(design, threads)
        columns = {
            name: torch.where(valid, columns[name], values) if columns else values
            for name, values in others.items()
        }
        valid = valid | also
    if not columns:
        raise NotCompiledError(_known[kind].refused or FEW)
    return columns, valid


def _program(
    kind: Hashable,
    place: int,
    design: DesignBatch,
    wanted: Tensor,
    evaluate: Evaluate,
    folder: Path | None,
    tally: Tally,
    least: int,
) -> CompiledRun | None:
    """Return a program of a kind by its place; a new one for the designs that want one."""
    with _lock:  # two threads that need the same program make it once
        known = _known.setdefault(kind, _Known())
        _known.move_to_end(kind)
        if len(_known) > _REMEMBERED:
            _known.popitem(last=False)
        if place < len(known.programs):
            return known.programs[place]
        many = int(wanted.sum()) > _MANY * len(wanted)
        if known.refused or len(wanted) < least or not many:
            return None
        try:
            program = build(design.index(wanted.nonzero().squeeze(1)), evaluate, folder)
        except NotCompiledError as error:
            known.refused = str(error)
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, the eager engine can do it
            known.refused = f"{type(error).__name__}: {error}"
            return None
        tally.built[program.from_cache] += 1
        known.programs.append(program)
        return program


def _fixed(design: DesignBatch) -> Hashable:
    """Return which fields vary, and all that the others say."""
    vary = varying(design)
    digest = hashlib.sha256()
    for owner in (design, design.technology):
        for entry in dataclasses.fields(owner):
            value = getattr(owner, entry.name)
            if isinstance(value, Tensor) and entry.name not in vary:
                said = f"{entry.name} {value.dtype} {tuple(value.shape)}"
                digest.update(said.encode() + value.detach().contiguous().numpy().tobytes())
    return tuple((name, values.dtype) for name, values in vary.items()), digest.hexdigest()


def forget() -> None:
    """Forget all programs of this process."""
    with _lock:
        _known.clear()
