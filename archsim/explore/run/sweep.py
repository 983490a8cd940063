"""A sweep with its points cut into parts: what it is going to do, its rows and its folder."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from archsim.config.sweep import Sweep
from archsim.errors import Code, ConfigError
from archsim.explore.run.goals import search_identity
from archsim.explore.run.part_file import part_bytes
from archsim.explore.run.rows import POINT, Rows, accuracy_keys, box_rows
from archsim.explore.run.store import Store
from archsim.explore.space.grid import Cut
from archsim.explore.space.identity import identity_hash
from archsim.explore.space.legal import check_sample, legal_points
from archsim.explore.space.points import Space
from archsim.explore.space.selection import Box
from archsim.network import from_graph
from tsb.study.load import load_study

#: Points per box: its tensors fit the cache (benchmarks/README.md).
BOX_POINTS = 8192
#: More combinations than this have to be asked for.
MANY_POINTS = 10**8
#: Up to so many combinations are counted exactly before a run.
_COUNTED = 5_000_000


@dataclass(frozen=True)
class Plan:
    """What a sweep is going to do.

    Attributes:
        combinations: of all values of all axes.
        points: of them that there are; None where counting would take too long.
        forbidden: combinations that no configuration may have, by reason.
        parts: files that they are written to.
        seconds: estimated time of one process, s.
        bytes: estimated size on the disk.
    """

    combinations: int
    points: int | None
    forbidden: dict[str, int]
    parts: int
    seconds: float
    bytes: float


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        parts: that are done, those of earlier runs too.
        of: all parts.
        combinations: done in this run.
        rows: written in this run.
        seconds: since it began.
    """

    parts: int
    of: int
    combinations: int
    rows: int
    seconds: float


News = Callable[[Progress], None]


class Job:
    """A sweep with its points cut into parts; the same in every process that works on it."""

    def __init__(self, sweep: Sweep) -> None:
        """Read the sweep.

        Args:
            sweep: which.

        Raises:
            ArchsimError: an axis or a value that is not allowed.
        """
        self.sweep = sweep
        self.space = Space(sweep)
        self.cut = Cut.of(self.space.grid, min(BOX_POINTS, sweep.part_points))
        largest = math.prod(self.cut.box(0).shape)
        self.boxes_per_part = max(1, sweep.part_points // largest)

    @property
    def parts(self) -> int:
        """Number of parts."""
        return -(-self.cut.count // self.boxes_per_part)

    def boxes(self, part: int) -> Iterator[Box]:
        """Return the boxes of a part.

        Args:
            part: its number.
        """
        first = part * self.boxes_per_part
        for index in range(first, min(first + self.boxes_per_part, self.cut.count)):
            yield self.cut.box(index)

    def rows(self, part: int) -> Rows:
        """Compute a part.

        Args:
            part: its number.
        """
        keys = accuracy_keys(self.sweep)
        evaluated = [box_rows(self.space, box, keys) for box in self.boxes(part)]
        forbidden: dict[str, int] = {}
        for rows in evaluated:
            for name, count in rows.forbidden.items():
                forbidden[name] = forbidden.get(name, 0) + count
        table = pa.concat_tables([rows.table for rows in evaluated]).unify_dictionaries()
        table = table.combine_chunks()
        if table.num_rows and not _ascending(table[POINT].to_numpy()):
            table = table.sort_by(POINT)
        return Rows(table, sum(rows.combinations for rows in evaluated), forbidden)

    def identity(self) -> dict[str, Any]:
        """Return everything that the rows depend on, as JSON values."""
        from archsim import __version__

        rows_of = ("network", "input_shape", "chip", "technology", "device", "tsb", "design")
        asked = self.sweep.model_dump(mode="json", by_alias=True)
        settings = {key: asked[key] for key in (*rows_of, "set", "axes", "where")}
        accuracy = asked["accuracy"] if self.sweep.fidelity == "accuracy" else None
        if accuracy is not None:
            # What is not said is not named: stores of before it could be said are the same.
            said_of = {key: accuracy[key] for key in ("read_path",) if accuracy[key]}
            accuracy = {key: accuracy[key] for key in ("study", "method", "base")} | said_of
            said = load_study(accuracy["study"]).model_dump(mode="json")
            accuracy["content"] = identity_hash(said)
        search = search_identity(self.sweep)
        return {
            "archsim": __version__,
            "sweep": {**settings, "accuracy": accuracy},
            **({"search": search} if search else {}),
            "configurations": self._configurations(),
            "part_points": self.sweep.part_points,
            "box_points": BOX_POINTS,
        }

    def _configurations(self) -> str:
        """Hash what the presets and networks behind the axes say."""
        outer = [range(len(axis)) for axis in self.space.outer]
        first = self.space.base((0,) * len(outer))
        said = [first.resolved.config_hash, *_table_hashes(first.table)]
        for axis in self.space.grid.axes:
            for value in axis.values:
                try:
                    resolved, _, graph = self.space.resolve(dict.fromkeys(axis.members, value))
                except ConfigError as error:
                    said.append(str(error))
                    continue
                said.append(resolved.config_hash)
                if axis.path == "network":
                    said += _table_hashes(from_graph(graph))
        return identity_hash({"said": said})

    def plan(self) -> Plan:
        """Count, and measure a box to estimate time and size.

        Raises:
            ConfigError: no point is left, or axes that act on each other.
        """
        points, forbidden = self._count() if self.space.grid.size <= _COUNTED else (None, {})
        if points == 0:
            reasons = "; ".join(f"{name} ({count})" for name, count in forbidden.items())
            raise ConfigError(
                f"sweep '{self.sweep.name}': none of the {self.space.grid.size} combinations is "
                f"left; left out by sweep.where, or because {reasons or 'of it alone'}",
                code=Code.EMPTY,
                field="sweep.where",
                value=self.space.grid.size,
            )
        if points is None:
            check_sample(self.space)
        rows, seconds = self._measure()
        share = self.space.grid.size / max(1, rows.combinations)
        size = len(part_bytes(rows.table, "", 0, {})) if rows.table.num_rows else 0
        return Plan(
            combinations=self.space.grid.size,
            points=points,
            forbidden=forbidden,
            parts=self.parts,
            seconds=seconds * share,
            bytes=size * share,
        )

    def _measure(self) -> tuple[Rows, float]:
        """Evaluate a box in the middle with rows, the second time with a clock."""
        middle, count = self.cut.count // 2, self.cut.count
        for index in chain(range(middle, count), range(middle)):
            rows = box_rows(self.space, self.cut.box(index), accuracy_keys(self.sweep))
            if rows.table.num_rows:
                break
        begin = time.perf_counter()
        box_rows(self.space, self.cut.box(index), accuracy_keys(self.sweep))
        return rows, time.perf_counter() - begin

    def _count(self) -> tuple[int, dict[str, int]]:
        points = 0
        forbidden: dict[str, int] = {}
        for index in range(self.cut.count):
            box = self.cut.box(index)
            kept = self.space.grid.kept(box, self.space.grid.tables(box))
            if not kept.any():
                continue
            legal = legal_points(self.space, box, kept)
            for name, count in legal.forbidden.items():
                forbidden[name] = forbidden.get(name, 0) + count
            points += int(legal.kept.sum())
        return points, forbidden


def _table_hashes(table: Any) -> list[str]:
    hashes = []
    for entry in fields(table):
        value = getattr(table, entry.name)
        if isinstance(value, torch.Tensor):
            content = value.contiguous().numpy().tobytes()
            hashes.append(hashlib.sha256(content).hexdigest()[:16])
        elif entry.name == "flow":
            hashes.append(hashlib.sha256(repr(value).encode()).hexdigest()[:16])
    return hashes


def _ascending(points: np.ndarray) -> bool:
    return bool((np.diff(points) > 0).all())


def open_store(job: Job, folder: Path | str, *, resume: bool) -> Store:
    """Make or open the folder of a sweep.

    After the parts of a grid, one is for its refined points; a search has no last part.

    Args:
        job: the sweep.
        folder: of its results.
        resume: go on with what is there.

    Raises:
        DataError: another sweep's folder, or one that is not resumed.
    """
    kind = job.sweep.strategy.kind
    return Store.create(
        folder,
        job.identity(),
        None if kind == "optuna" else job.parts + (kind == "gradient"),
        resume=resume,
        about={"sweep": job.sweep.model_dump(mode="json", by_alias=True), **_provenance()},
    )


def _provenance() -> dict[str, Any]:
    from archsim import __version__

    return {
        "archsim": __version__,
        "torch": torch.__version__,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
