"""What corrections need on a chip, as they declare it, and what several of them need together.

The cost engine prices shared blocks, digital numbers per output channel and layers that are
written again. A correction declares which of these it needs, or why it has no price; one that
needs nothing says why. Nothing counts as free because somebody forgot it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SharedBlockNeed:
    """A shared block after convolutions or residual blocks.

    Attributes:
        channels: c: it is a 1x1 convolution of c x c weights.
        depth: layers.
    """

    channels: int
    depth: int


@dataclass(frozen=True, kw_only=True)
class DigitalNeed:
    """Numbers for each output channel in registers, applied to every sum: an adder at least.

    Attributes:
        scales: whether there is a factor beside the bias: a multiplier.
        all_layers: every layer on crossbars has them; else the linear ones.
    """

    scales: bool
    all_layers: bool


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What one correction needs on the chip.

    Attributes:
        block: shared block.
        digital: numbers in registers.
        rewritten_layers: last layers whose cells are written a second time.
        presumed: numbers in registers that the chip has with or without it, and that are therefore
            not priced; the notes say why.
        notes: what the price leaves out, or why there is nothing to price; whole phrases.
    """

    block: SharedBlockNeed | None = None
    digital: DigitalNeed | None = None
    rewritten_layers: int = 0
    presumed: DigitalNeed | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse to be free without a reason.

        Raises:
            ValueError: nothing is needed, and no note says why.
        """
        if not (self.parts() or self.notes):
            raise ValueError(
                "Needs() of nothing; allowed: at least one need, or a note that says why a "
                "correction costs nothing"
            )

    def parts(self) -> tuple[str, ...]:
        """Return in words what is priced, a phrase each; none where nothing is needed."""
        phrases = [] if self.block is None else ["a shared block"]
        if self.digital is not None:
            each = "a scale and a bias" if self.digital.scales else "a bias"
            layers = "all layers" if self.digital.all_layers else "linear layers"
            phrases.append(f"{each} for each output channel of {layers}")
        if self.rewritten_layers:
            phrases.append("the last layers written again")
        return tuple(phrases)

    def words(self) -> str:
        """Return what is priced, in one line for people."""
        return "; ".join(self.parts() or ("nothing", *self.notes))


@dataclass(frozen=True)
class Unpriced:
    """No price: the cost engine does not know what the correction needs.

    Attributes:
        reason: a whole phrase.
    """

    reason: str

    def __post_init__(self) -> None:
        """Refuse to be silent.

        Raises:
            ValueError: no reason.
        """
        if not self.reason.strip():
            raise ValueError("Unpriced without a reason; allowed: a phrase that says why")

    def words(self) -> str:
        """Return that there is no price, and why."""
        return f"no price: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Together:
    """What the corrections of one chip need together.

    Attributes:
        block: shared block.
        digital: numbers in registers.
        rewritten_layers: last layers whose cells are written a second time.
        notes: what the price leaves out, each with the name of its correction.
        unpriced: why there is no price, likewise; empty where there is one.
    """

    block: SharedBlockNeed | None = None
    digital: DigitalNeed | None = None
    rewritten_layers: int = 0
    notes: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()


def together(declared: Mapping[str, Needs | Unpriced]) -> Together:
    """Combine what corrections declare.

    Digital numbers share their registers and units: a multiplier where one of them scales, in all
    layers where one of them needs all. What one correction presumes and others pay for needs no
    note. Two shared blocks, or layers that two corrections write again, have no price.

    Args:
        declared: what :meth:`Correction.hardware` returned, by the correction's name.

    Raises:
        TypeError: a correction that declares neither needs nor why it has no price.
    """
    for name, said in declared.items():
        if not isinstance(said, Needs | Unpriced):
            raise TypeError(f"hardware() of '{name}' is {said!r}; allowed: Needs or Unpriced")
    needs = {name: said for name, said in declared.items() if isinstance(said, Needs)}
    blocks = {name: need.block for name, need in needs.items() if need.block is not None}
    digital = _shared([need.digital for need in needs.values() if need.digital is not None])
    rewritten = {
        name: need.rewritten_layers for name, need in needs.items() if need.rewritten_layers
    }
    reasons = [
        f"{name}: {said.reason}" for name, said in declared.items() if isinstance(said, Unpriced)
    ]
    for several, what in ((blocks, "shared blocks"), (rewritten, "sets of layers written again")):
        if len(several) > 1:
            reasons.append(f"{' and '.join(several)}: two {what} are not in the cost engine")
    return Together(
        block=next(iter(blocks.values()), None),
        digital=digital,
        rewritten_layers=max(rewritten.values(), default=0),
        notes=tuple(
            f"{name}: {note}"
            for name, need in needs.items()
            if need.presumed is None or not _covers(digital, need.presumed)
            for note in need.notes
        ),
        unpriced=tuple(reasons),
    )


def _shared(needs: Sequence[DigitalNeed]) -> DigitalNeed | None:
    if not needs:
        return None
    return DigitalNeed(
        scales=any(need.scales for need in needs), all_layers=any(need.all_layers for need in needs)
    )


def _covers(priced: DigitalNeed | None, presumed: DigitalNeed) -> bool:
    return priced is not None and _shared([priced, presumed]) == priced
