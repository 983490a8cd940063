"""How the chips behind an accuracy were read, and the line that says it beside the number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: What ``read_path: off`` leaves out.
LEFT_OUT = "converters (their range and bits), rows read at once, input codes and wires"
#: What a row says of it, in order.
READ_COLUMNS = ("read_path", "adc_range", "adc_bits", "clip_rate", "read_warnings")
#: Between warnings that stand in one text.
BETWEEN = " | "


@dataclass(frozen=True, kw_only=True)
class ReadSaid:
    """How chips were read.

    Attributes:
        mode: ``off``, ``approximate`` or ``exact``.
        range: rule of the converters' ranges; None where the read path is off.
        adc_bits: of the converters.
        clip_rate: share of the column sums outside of their range, the worst of layers and slices.
        warnings: what the converters of single layers do badly, a sentence each.
    """

    mode: str = "off"
    range: str | None = None
    adc_bits: int | None = None
    clip_rate: float | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_json(cls, content: Mapping[str, Any] | None) -> ReadSaid:
        """Return what a result says; one that says nothing is of the read path off.

        Args:
            content: its ``read_path``.
        """
        if not content:
            return cls()
        return cls(
            mode=content.get("mode") or "exact",
            range=content.get("range"),
            adc_bits=content.get("adc_bits"),
            clip_rate=content.get("clip_rate"),
            warnings=tuple(content.get("warnings") or ()),
        )

    @classmethod
    def pooled(cls, many: Iterable[ReadSaid]) -> ReadSaid:
        """Return what several of one study say together: the worst clip rate, all warnings.

        Args:
            many: one or more.
        """
        known = list(many)
        rates = [one.clip_rate for one in known if one.clip_rate is not None]
        return cls(
            mode=known[0].mode,
            range=known[0].range,
            adc_bits=known[0].adc_bits,
            clip_rate=max(rates, default=None),
            warnings=tuple(dict.fromkeys(text for one in known for text in one.warnings)),
        )

    @property
    def line(self) -> str:
        """What stands beside the accuracies."""
        if self.mode == "off":
            return (
                f"Read path off: accuracies leave out {LEFT_OUT}; --read-path exact has them "
                "(archsim read tells them apart)."
            )
        bits = "" if self.adc_bits is None else f", converters of {self.adc_bits} bits"
        rate = "" if self.clip_rate is None else f", clip rate {100 * self.clip_rate:.2g} %"
        ranges = "" if self.range is None else f": range {self.range}"
        return f"Read path {self.mode}{ranges}{bits}{rate}."

    def columns(self) -> dict[str, Any]:
        """Return it as the columns of a row: see :class:`archsim.results.method_row.MethodRow`."""
        warnings = BETWEEN.join(self.warnings) or None
        values = (self.mode, self.range, self.adc_bits, self.clip_rate, warnings)
        return dict(zip(READ_COLUMNS, values, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "mode": self.mode,
            "range": self.range,
            "adc_bits": self.adc_bits,
            "clip_rate": self.clip_rate,
            "warnings": list(self.warnings),
        }
