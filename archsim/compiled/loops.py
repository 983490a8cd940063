"""Put operations that run over the same shape into one loop, and buffers into little memory.

Within a loop an element is computed from elements of the same place, so that values stay in
registers; what a later loop reads, or reads elsewhere, goes through memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from archsim.compiled.operation import Operation, Program
from archsim.compiled.views import View

#: Most operations of one loop: more need longer to compile and gain nothing.
LONGEST = 120


@dataclass(frozen=True, eq=False)
class LoopLayout:
    """Loops in order, and where their buffers lie.

    Attributes:
        loops: operations of each.
        local: buffers that no other loop reads, which need no memory.
        places: of the other buffers, in elements.
        size: of the memory, in elements.
        buffer_sizes: of all buffers, in elements.
    """

    loops: list[list[Operation]]
    local: set[int]
    places: dict[int, int]
    size: int
    buffer_sizes: list[int]


def laid_out(program: Program) -> LoopLayout:
    """Return the loops of a program and the places of its buffers.

    Args:
        program: which.
    """
    loops = _grouped(program.operations)
    local, lives = _lives(program, loops)
    places, size = _placed(program.sizes, lives, len(loops))
    return LoopLayout(loops, local, places, size, program.sizes)


def _grouped(operations: Sequence[Operation]) -> list[list[Operation]]:
    """Schedule greedily: always the shape of which most operations can be done."""
    writers: dict[int, list[int]] = defaultdict(list)
    readers: dict[int, list[int]] = defaultdict(list)
    waits, waiting = [], [0] * len(operations)
    for place, operation in enumerate(operations):
        needs = {w for view in operation.views for w in writers[view.store]}
        if operation.target.store in writers:
            needs |= set(writers[operation.target.store])  # parts of a buffer, in order
        needs.discard(place)
        writers[operation.target.store].append(place)
        for other in needs:
            readers[other].append(place)
        waits.append(needs)
        waiting[place] = len(needs)
    ready: dict[tuple[int, ...], dict[int, None]] = defaultdict(dict)
    for place, count in enumerate(waiting):
        if not count:
            ready[operations[place].shape][place] = None
    loops: list[list[Operation]] = []
    left = len(operations)
    while left:
        shape = max(ready, key=lambda s: len(ready[s]))
        loop = _one_loop(operations, ready, shape, readers, waiting)
        if not loop:  # pragma: no cover - the first ready operation always fits an empty loop
            raise AssertionError("no operation can be done")
        left -= len(loop)
        loops.append(loop)
        for done in [each for each, places in ready.items() if not places]:
            del ready[done]
    return loops


def _one_loop(
    operations: Sequence[Operation],
    ready: dict[tuple[int, ...], dict[int, None]],
    shape: tuple[int, ...],
    readers: dict[int, list[int]],
    waiting: list[int],
) -> list[Operation]:
    loop: list[Operation] = []
    writes: dict[int, bool] = {}
    again = True
    while again and len(loop) < LONGEST:
        again = False
        for place in list(ready[shape]):
            operation = operations[place]
            if len(loop) >= LONGEST or not _fits(operation, writes):
                continue
            del ready[shape][place]
            loop.append(operation)
            store = operation.target.store
            writes[store] = writes.get(store, False) or operation.through_memory
            again = True
            for reader in readers[place]:
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready[operations[reader].shape][reader] = None
    return loop


def _fits(operation: Operation, writes: dict[int, bool]) -> bool:
    """Whether all that a loop writes is read at the same place, and complete there."""
    if operation.target.store in writes:
        return False
    return all(
        view.store not in writes or (not writes[view.store] and view.is_whole)
        for view in _read(operation)
    )


def _read(operation: Operation) -> list[View]:
    """Views that it reads; never its own target."""
    return [view for view in operation.views if view.store != operation.target.store]


def _lives(
    program: Program, loops: list[list[Operation]]
) -> tuple[set[int], dict[int, tuple[int, int]]]:
    """Return local buffers, and the first and last loop that needs each other one."""
    first: dict[int, int] = {view.store: 0 for view in program.inputs.values()}
    last = dict(first)
    in_memory = set(first)
    for number, loop in enumerate(loops):
        for operation in loop:
            store = operation.target.store
            first.setdefault(store, number)
            last[store] = number
            if operation.through_memory:
                in_memory.add(store)
    for number, loop in enumerate(loops):
        for operation in loop:
            for store in {view.store for view in operation.views if view.store >= 0}:
                last[store] = max(last[store], number)
                if number != first[store] or operation.lookup is not None:
                    in_memory.add(store)
    for output in program.outputs.values():
        if isinstance(output, View) and output.store >= 0:
            last[output.store] = len(loops)
            in_memory.add(output.store)
    lives = {store: (first[store], last[store]) for store in first if store in in_memory}
    return set(first) - in_memory, lives


def _placed(
    sizes: Sequence[int], lives: dict[int, tuple[int, int]], loops: int
) -> tuple[dict[int, int], int]:
    """Give each buffer a place; one that is free again is taken by the next of its size."""
    born: dict[int, list[int]] = defaultdict(list)
    dies: dict[int, list[int]] = defaultdict(list)
    for store, (first, last) in lives.items():
        born[first].append(store)
        dies[last].append(store)
    free: dict[int, list[int]] = defaultdict(list)
    places: dict[int, int] = {}
    top = 0
    for loop in range(loops + 1):
        for store in born[loop]:
            size = sizes[store]
            if free[size]:
                places[store] = free[size].pop()
            else:
                places[store] = top
                top += size
        for store in dies[loop]:
            free[sizes[store]].append(places[store])
    return places, top
