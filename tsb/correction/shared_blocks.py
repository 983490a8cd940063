"""The paper's TSB: one shared block after all convolutions, or after all residual blocks.

The TSB of a convolution is folded into it: ``B (W x + b) = (B W) x + B b`` (Qin et al., ICCAD 2024,
arXiv 2406.06544), and so is that of a linear layer. After a residual block it stands behind a ReLU
and is a module of its own. Of tokens it mixes the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from archsim.errors import Code, ConfigError
from archsim.network.insertion import InsertionPoint
from tsb.correction.base import Carrier, Correction, Tensors, device_of, matrix_times
from tsb.correction.needs import Needs, SharedBlockNeed
from tsb.correction.on_read import OnRead, Unread
from tsb.correction.options import option
from tsb.shared_block import PAPER, SharedBlock, mvm_count

_MODULE = "shared_block"


def folded_matrix(layers: list[Tensor], channels: int) -> Tensor:
    """Return the matrix by which a shared block mixes ``channels`` channels, ``channel channel``.

    Args:
        layers: ``c c`` each, first layer first.
        channels: channels of the map; the last group is cut off.
    """
    matrix = layers[0]
    for layer in layers[1:]:
        matrix = layer @ matrix
    groups = -(-channels // matrix.shape[-1])
    whole = torch.kron(torch.eye(groups, dtype=matrix.dtype, device=matrix.device), matrix)
    return whole[:channels, :channels]


class _Through:
    """A forward hook that sends a module's output through a shared block."""

    def __init__(self, block: SharedBlock, *, channels_last: bool) -> None:
        self.block = block
        self.channels_last = channels_last

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        del module, inputs
        if self.channels_last:
            tokens = output.reshape(-1, output.shape[-1], 1, 1)
            mixed: Tensor = self.block(tokens)
            return mixed.reshape(output.shape)
        sent: Tensor = self.block(output)
        return sent


@dataclass(kw_only=True)
class SharedBlocks(Correction):
    """One block for all places and channel groups: the TSB.

    Attributes:
        channels: c.
        depth: layers, 1 to 4.
        insertions: how many of the places, the last ones; None takes all.
        names: of the layers that it is folded into; filled by :meth:`attach`.
        linear: of these, one of the linear layers; "" for none.
        hooked: whether it is a module of its own somewhere; set by :meth:`attach`.
    """

    name = "tsb"
    description = "the block of the paper: one 1x1 convolution for all layers and channel groups"
    citation = PAPER
    in_cells = True
    trained = True
    starts_as_identity = True

    channels: int = field(
        metadata=option("of a group; left out: that of the study or block preset", example=5)
    )
    depth: int = field(default=1, metadata=option("layers, up to 4"))
    insertions: int | None = field(default=None, metadata=option("the last places; left out: all"))
    names: list[str] = field(default_factory=list, init=False)
    linear: str = field(default="", init=False)
    hooked: bool = field(default=False, init=False)

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        words = f"shared block of {self.channels} channels"
        return f"{words} and depth {self.depth}" if self.depth > 1 else words

    def hardware(self) -> Needs:
        """See :meth:`Correction.hardware`."""
        notes = () if self.insertions is None else ("priced as if it were at every place",)
        return Needs(
            block=SharedBlockNeed(channels=self.channels, depth=self.depth),
            notes=notes,
        )

    def places(self, carrier: Carrier) -> tuple[InsertionPoint, ...]:
        """Return where the block goes.

        Args:
            carrier: the network.

        Raises:
            ConfigError: more insertions than there are places, or a block larger than any layer.
            NetworkError: no place at all.
        """
        points = carrier.points
        count = len(points) if self.insertions is None else self.insertions
        if not 1 <= count <= len(points):
            raise ConfigError(
                f"insertions = {count}; network '{carrier.layers.name}' allows 1 to {len(points)}",
                code=Code.OUT_OF_RANGE,
                field="insertions",
                value=count,
                allowed=f"1 to {len(points)}",
            )
        widest = max(point.channels for point in points)
        if not 1 <= self.channels <= widest:
            raise ConfigError(
                f"tsb channels = {self.channels}; allowed: 1 to {widest}, the widest layer of "
                f"network '{carrier.layers.name}' that the block follows",
                code=Code.OUT_OF_RANGE,
                field="tsb channels",
                value=self.channels,
                allowed=f"1 to {widest}",
            )
        return points[len(points) - count :]

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        device = next(carrier.model.parameters()).device
        block = SharedBlock(self.channels, self.depth).to(device)
        for point in self.places(carrier):
            if carrier.folds(point):
                self.names.append(point.name)
                self.linear = point.name if point.channels_last else self.linear
                continue
            if not self.hooked:
                carrier.model.add_module(_MODULE, block.eval())
                self.hooked = True
            through = _Through(block, channels_last=point.channels_last)
            carrier.place(point).register_forward_hook(through)

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the identity; see :meth:`Correction.start`."""
        del carrier, wanted, images
        identity = torch.eye(self.channels, device=device_of(tensors))
        return {f"layers.{i}.weight": identity.clone() for i in range(self.depth)}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        corrected = dict(tensors)
        if self.hooked:
            block = {f"{_MODULE}.{n}": p[..., None, None] for n, p in parameters.items()}
            corrected |= block
        layers = [parameters[f"layers.{i}.weight"] for i in range(self.depth)]
        for name in self.names:
            weight = tensors[f"{name}.weight"]
            matrix = folded_matrix(layers, weight.shape[0])
            corrected[f"{name}.weight"] = matrix_times(matrix, weight)
            if f"{name}.bias" in tensors:
                corrected[f"{name}.bias"] = matrix @ tensors[f"{name}.bias"]
        return corrected

    def on_read(self, parameters: Tensors) -> OnRead | Unread:
        """See :meth:`Correction.on_read`."""
        if self.linear:
            return Unread(f"its block behind linear layer '{self.linear}' is folded into weights")
        return OnRead(blocks={f"{name}.weight": tuple(parameters) for name in self.names})

    def macs(self, carrier: Carrier) -> int:
        """Count every channel group at every place, the padding of the last group included."""
        maps = [(place.channels, place.height, place.width) for place in self.places(carrier)]
        return mvm_count(maps, self.channels) * self.channels**2 * self.depth
