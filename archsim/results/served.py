"""Which vector of which layer waits for which copy of a common shared block: the queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.units import from_si


@dataclass(frozen=True)
class Served:
    """One vector that a copy of the block serves.

    Attributes:
        insertion: whose vector it is, as the plan has it.
        row: of the map, counted from 0.
        vector: of the image, within the insertion.
        copy: of the block that serves it.
        arrival_s: when the row was there.
        start_s: when the copy begins.
        end_s: when its result is there.
    """

    insertion: str
    row: int
    vector: int
    copy: int
    arrival_s: float
    start_s: float
    end_s: float

    def record(self) -> dict[str, Any]:
        """Return it as one record of a CSV or JSON file, times in us."""
        arrival, start, end = (
            from_si(time, "us") for time in (self.arrival_s, self.start_s, self.end_s)
        )
        return {
            "insertion": self.insertion,
            "row": self.row,
            "vector": self.vector,
            "copy": self.copy,
            "arrival_us": arrival,
            "start_us": start,
            "end_us": end,
            "wait_us": start - arrival,
        }


@dataclass(frozen=True)
class Visit:
    """What one insertion asks of the common block.

    Attributes:
        insertion: name.
        vectors: of an image.
        copies: of the block that share them.
        serve_s: its time on the block.
        read_s: crossbars with their converters and adders; they, buffers and wires overlap as
            ``chip.timing.overlap`` lets them, and add up to ``serve_s`` where nothing does.
        buffer_s: tile and global buffers.
        wires_s: over the chip's wires, to the block and back.
        mean_wait_s: of a vector, from its arrival on.
        longest_wait_s: of a vector.
    """

    insertion: str
    vectors: int
    copies: int
    serve_s: float
    read_s: float
    buffer_s: float
    wires_s: float
    mean_wait_s: float
    longest_wait_s: float

    def record(self) -> dict[str, Any]:
        """Return it as one record, times in us."""
        times = ("serve", "read", "buffer", "wires", "mean_wait", "longest_wait")
        return {
            "insertion": self.insertion,
            "vectors": self.vectors,
            "copies": self.copies,
            **{f"{name}_us": from_si(getattr(self, f"{name}_s"), "us") for name in times},
        }


@dataclass(frozen=True)
class BlockQueue:
    """The queue at a common block for one image.

    Attributes:
        visits: by insertion, in the order in which they are served.
        served: every vector, by start.
        slots: whether the block's time is dealt out in fixed slots, else insertion by insertion.
        latency_s: of the image.
    """

    visits: tuple[Visit, ...]
    served: tuple[Served, ...]
    slots: bool
    latency_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, times in us."""
        return {
            "dealt_out": "slots" if self.slots else "in turn",
            "latency_us": from_si(self.latency_s, "us"),
            "busy_share": self.busy_share,
            "limit": self.limit,
            "visits": [visit.record() for visit in self.visits],
            "served": [one.record() for one in self.served],
        }

    @property
    def busy_share(self) -> float:
        """Share of the image's time in which the block serves."""
        return sum(visit.serve_s for visit in self.visits) / self.latency_s

    @property
    def limit(self) -> str:
        """One sentence: what the queue is made of, and what would shorten it."""
        serve_s = sum(visit.serve_s for visit in self.visits)
        parts = {
            "crossbars": sum(visit.read_s for visit in self.visits),
            "buffers": sum(visit.buffer_s for visit in self.visits),
            "wires": sum(visit.wires_s for visit in self.visits),
        }
        cures = {
            "crossbars": "further copies (tsb.copies) share them",
            "buffers": "copies in further tiles (tsb.copies) bring buffers, and lines of "
            "chip.buffers.tile_banks are wider",
            "wires": "wider ones (chip.interconnect.max_width) carry more at a time",
        }
        most = max(parts, key=lambda name: parts[name])
        shares = ", ".join(f"{name} {100 * time / serve_s:.3g} %" for name, time in parts.items())
        return (
            f"The block serves for {100 * self.busy_share:.3g} % of the image's latency, and while "
            f"it does, {shares} of the time; {cures[most]}."
        )
