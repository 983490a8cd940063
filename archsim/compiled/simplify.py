"""Make a recording shorter: what is repeated is done once, what nobody reads not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from archsim.compiled.record import Guard, RecordedStep, Ref, Tape

#: Operations that give what they take.
_SAME = frozenset({"detach", "alias", "lift_fresh"})


def simplified(
    tape: Tape, results: dict[str, Ref | Tensor]
) -> tuple[Tape, dict[str, Ref | Tensor]]:
    """Return a recording of the same results and guards without repeated and dead operations.

    Args:
        tape: the recording.
        results: what each result is in it.
    """
    renamed: dict[int, int] = {}

    def current(value: Any) -> Any:
        return Ref(renamed.get(value.number, value.number)) if isinstance(value, Ref) else value

    known: dict[Any, tuple[int, ...]] = {}
    steps = []
    for recorded in tape.steps:
        args, options = tree_map(current, (recorded.args, dict(recorded.options)))
        step = replace(recorded, args=args, options=options)
        if step.name in _SAME:
            renamed[step.outs[0]] = step.reads[0]
            continue
        earlier = known.setdefault(_key(step, tape), step.outs)
        if earlier is step.outs:
            steps.append(step)
        else:
            renamed |= zip(step.outs, earlier, strict=True)
    kept = {name: current(value) for name, value in results.items()}
    guards = [replace(guard, operand=current(guard.operand)) for guard in tape.guards]
    steps = _alive(steps, [*kept.values(), *(guard.operand for guard in guards)])
    return replace(tape, steps=steps, guards=_distinct(guards)), kept


def _key(step: RecordedStep, tape: Tape) -> Any:
    leaves, shape = tree_flatten((step.args, dict(step.options)))
    kinds = tuple(tape.dtypes[out] for out in step.outs)
    return step.name, kinds, repr(shape), tuple(_content(leaf) for leaf in leaves)


def _content(leaf: object) -> Any:
    if isinstance(leaf, Tensor):
        return leaf.dtype, tuple(leaf.shape), leaf.contiguous().numpy().tobytes()
    return type(leaf), leaf


def _alive(steps: list[RecordedStep], roots: Iterable[object]) -> list[RecordedStep]:
    wanted = {root.number for root in roots if isinstance(root, Ref)}
    alive = []
    for step in reversed(steps):
        if wanted.intersection(step.outs):
            alive.append(step)
            wanted.update(step.reads)
    return alive[::-1]


def _distinct(guards: list[Guard]) -> list[Guard]:
    """Leave out guards that hold for every design, and repeated ones."""
    kept: dict[Any, Guard] = {}
    for guard in guards:
        if guard.kind == "any" and bool(guard.answer.all()):
            continue
        if guard.kind == "all" and not bool(guard.answer.any()):
            continue
        key = guard.kind, guard.operand, guard.dims, _content(guard.answer.to(torch.float64))
        kept.setdefault(key, guard)
    return list(kept.values())
