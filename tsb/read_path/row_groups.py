"""Which rows of a matrix are read together: as the mapping cut them, in the order of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.errors import Code, MappingError
from archsim.plan import Placement


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Rows of a matrix that are read at once, group after group.

    Attributes:
        order: rows of the matrix, each once, ``row``.
        starts: where each group begins in ``order``, and its end, ``group + 1``.
        first: place of a group's first row in its crossbar, among the rows that hold weights,
            ``group``: above 0 where a crossbar is read in several turns.
        held: rows of the crossbar that hold weights, ``group``.
    """

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    held: npt.NDArray[np.int64]

    @classmethod
    def of_crossbars(cls, crossbars: Sequence[Sequence[int]], *, rows_at_once: int) -> RowGroups:
        """Cut the rows of crossbars into those that are read at once.

        Args:
            crossbars: rows of the matrix in each crossbar, from the first word line on.
            rows_at_once: word lines that are on at once.

        Raises:
            MappingError: rows that are missing, or that lie in two crossbars.
        """
        groups = [
            (list(rows[at : at + rows_at_once]), at, len(rows))
            for rows in crossbars
            for at in range(0, len(rows), rows_at_once)
        ]
        order = np.array([row for rows, _, _ in groups for row in rows], dtype=np.int64)
        if not np.array_equal(np.sort(order), np.arange(len(order))):
            raise MappingError(
                "row groups do not hold every row of the matrix once",
                code=Code.SHAPE_MISMATCH,
                field="row groups",
            )
        return cls(
            order=order,
            starts=np.cumsum([0, *(len(rows) for rows, _, _ in groups)]),
            first=np.array([at for _, at, _ in groups], dtype=np.int64),
            held=np.array([held for _, _, held in groups], dtype=np.int64),
        )

    @classmethod
    def in_order(cls, count: int, *, rows: int, rows_at_once: int | None = None) -> RowGroups:
        """Cut rows in their order into crossbars, and those into groups.

        Args:
            count: rows of the matrix.
            rows: of a crossbar.
            rows_at_once: None for all.
        """
        crossbars = [range(at, min(at + rows, count)) for at in range(0, count, rows)]
        return cls.of_crossbars(crossbars, rows_at_once=rows_at_once or rows)

    @classmethod
    def of_placement(
        cls, placement: Placement, layer: int, *, kernel_area: int, rows_at_once: int | None
    ) -> RowGroups:
        """Take the groups of a layer from where the mapping placed it.

        A convolution that is cut by kernel position has the rows ``(channel, position)``; every
        other matrix has its rows in the order ``(channel, height, width)``. All copies of a layer
        are cut alike.

        Args:
            placement: of the design.
            layer: row of the plan.
            kernel_area: kernel positions, height times width.
            rows_at_once: None for all rows of a crossbar.

        Raises:
            MappingError: the layer has no crossbar, or rows that are missing.
        """
        here = placement.columns
        owner = placement.owners[layer]
        mine = (here["layer"] == owner) & (here["instance"] == 0) & (here["copy"] == 0)
        spans = sorted(
            {
                (position, start, stop)
                for position, start, stop in zip(
                    here["kernel_position"][mine].tolist(),
                    here["row_start"][mine].tolist(),
                    here["row_stop"][mine].tolist(),
                    strict=True,
                )
            }
        )
        if not spans:
            raise MappingError(
                f"layer '{placement.names[layer]}' has no crossbar",
                code=Code.CONFLICT,
                field=placement.names[layer],
            )
        crossbars = [
            list(range(start, stop))
            if position < 0
            else [channel * kernel_area + position for channel in range(start, stop)]
            for position, start, stop in spans
        ]
        return cls.of_crossbars(crossbars, rows_at_once=rows_at_once or placement.array_rows)

    def __len__(self) -> int:
        """Number of groups."""
        return len(self.starts) - 1

    @property
    def rows(self) -> int:
        """Rows of the matrix."""
        return len(self.order)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Rows of each group, ``group``."""
        return np.diff(self.starts)

    def members(self, group: int) -> npt.NDArray[np.int64]:
        """Return the rows of a group.

        Args:
            group: which.
        """
        return self.order[self.starts[group] : self.starts[group + 1]]
