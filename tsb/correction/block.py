"""Shared blocks: the paper's TSB after convolutions or residual blocks, and its relatives.

The TSB of a convolution is folded into it: ``B (W x + b) = (B W) x + B b`` (Qin et al., ICCAD 2024,
arXiv 2406.06544). After a residual block it stands behind a ReLU and is a module of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from archsim.errors import ConfigError, NetworkError
from archsim.network.insertion import InsertionPoint
from tsb.correction.base import Carrier, Correction, Tensors, device_of, matrix_times
from tsb.shared_block import SharedBlock, mvm_count

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

    def __init__(self, block: SharedBlock) -> None:
        self.block = block

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        del module, inputs
        sent: Tensor = self.block(output)
        return sent


@dataclass(kw_only=True)
class SharedBlocks(Correction):
    """One block for all places and channel groups: the TSB.

    Attributes:
        channels: c.
        depth: layers, 1 to 4.
        insertions: how many of the places, the last ones; None takes all.
        names: of the layers' weights after which it is folded; filled by :meth:`attach`.
    """

    channels: int
    depth: int = 1
    insertions: int | None = None
    name: str = "tsb"
    in_cells: bool = True
    names: list[str] = field(default_factory=list)
    hooked: bool = False

    def places(self, carrier: Carrier) -> tuple[InsertionPoint, ...]:
        """Return where the block goes.

        Args:
            carrier: the network.

        Raises:
            ConfigError: more insertions than there are places, or a block larger than any layer.
            NetworkError: no place at all; says what applies instead.
        """
        try:
            points = carrier.points
        except NetworkError as error:
            raise NetworkError(
                f"{error}. Corrections for such a network: linear-block, low-rank, biases, scales, "
                "output-match, last-layers"
            ) from error
        count = len(points) if self.insertions is None else self.insertions
        if not 1 <= count <= len(points):
            raise ConfigError(
                f"insertions = {count}; network '{carrier.layers.name}' allows 1 to {len(points)}"
            )
        widest = max(point.channels for point in points)
        if not 1 <= self.channels <= widest:
            raise ConfigError(
                f"tsb channels = {self.channels}; allowed: 1 to {widest}, the widest layer of "
                f"network '{carrier.layers.name}' that the block follows"
            )
        return points[len(points) - count :]

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        device = next(carrier.model.parameters()).device
        block = SharedBlock(self.channels, self.depth).to(device)
        for point in self.places(carrier):
            module = carrier.place(point)
            if isinstance(module, nn.Conv2d):
                self.names.append(point.name)
                continue
            if not self.hooked:
                carrier.model.add_module(_MODULE, block.eval())
                self.hooked = True
            module.register_forward_hook(_Through(block))

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
            own = {f"{_MODULE}.{n}": p[..., None, None] for n, p in parameters.items()}
            corrected |= own
        layers = [parameters[f"layers.{i}.weight"] for i in range(self.depth)]
        for name in self.names:
            weight = tensors[f"{name}.weight"]
            matrix = folded_matrix(layers, weight.shape[0])
            corrected[f"{name}.weight"] = matrix_times(matrix, weight)
            if f"{name}.bias" in tensors:
                corrected[f"{name}.bias"] = matrix @ tensors[f"{name}.bias"]
        return corrected

    def macs(self, carrier: Carrier) -> int:
        """Count every channel group at every place, the padding of the last group included."""
        maps = [(place.channels, place.height, place.width) for place in self.places(carrier)]
        return mvm_count(maps, self.channels) * self.channels**2 * self.depth


@dataclass(kw_only=True)
class OwnBlocks(Correction):
    """A 1x1 convolution of its own after every convolution: what sharing is compared with."""

    name: str = "own-blocks"
    in_cells: bool = True
    sizes: dict[str, int] = field(default_factory=dict)

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        for point in carrier.points:
            if not isinstance(carrier.place(point), nn.Conv2d):
                raise NetworkError("own-blocks follow convolutions, not residual blocks")
            self.sizes[point.name] = point.channels

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return identities; see :meth:`Correction.start`."""
        del carrier, wanted, images
        device = device_of(tensors)
        return {name: torch.eye(size, device=device) for name, size in self.sizes.items()}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        corrected = dict(tensors)
        for name, matrix in parameters.items():
            corrected[f"{name}.weight"] = matrix_times(matrix, tensors[f"{name}.weight"])
            if f"{name}.bias" in tensors:
                corrected[f"{name}.bias"] = matrix @ tensors[f"{name}.bias"]
        return corrected

    def macs(self, carrier: Carrier) -> int:
        """Count one product of a matrix per pixel of every map."""
        return sum(point.channels**2 * point.height * point.width for point in carrier.points)


@dataclass(kw_only=True)
class LinearBlock(Correction):
    """A shared block for linear layers: every group of c inputs goes through the same c x c matrix.

    ``W (I x B) x``: on the chip the block's crossbar is read before the layer's. It reaches errors
    of linear layers, which a TSB after convolutions cannot.

    Attributes:
        channels: c; must divide the inputs of every linear layer.
    """

    channels: int
    name: str = "linear-block"
    in_cells: bool = True
    names: list[str] = field(default_factory=list)

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        for name, module in carrier.model.named_modules():
            if isinstance(module, nn.Linear):
                if module.in_features % self.channels:
                    raise ConfigError(
                        f"linear-block channels = {self.channels}; must divide the "
                        f"{module.in_features} inputs of layer '{name}'"
                    )
                self.names.append(f"{name}.weight")
        if not self.names:
            raise NetworkError(f"network '{carrier.layers.name}' has no linear layer")

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the identity; see :meth:`Correction.start`."""
        del carrier, wanted, images
        return {"weight": torch.eye(self.channels, device=device_of(tensors))}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        corrected = dict(tensors)
        for name in self.names:
            weight = tensors[name]
            grouped = weight.reshape(weight.shape[0], -1, self.channels)
            corrected[name] = (grouped @ parameters["weight"]).reshape(weight.shape)
        return corrected

    def macs(self, carrier: Carrier) -> int:
        """Count one product of the block per group of inputs of every linear layer."""
        layers = [carrier.layer(name) for name in self.names]
        return sum(layer.mvms * layer.in_channels * self.channels for layer in layers)


@dataclass(kw_only=True)
class LowRank(Correction):
    """A low-rank term beside every linear layer, ``(W + U V) x``, both factors on crossbars.

    U starts at zero and V at the first right singular vectors of the error ``wanted - stored``: the
    directions in which the chip is most wrong.

    Attributes:
        rank: r; the term has ``r (in + out)`` weights.
    """

    rank: int = 1
    name: str = "low-rank"
    in_cells: bool = True
    names: list[str] = field(default_factory=list)

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        modules = dict(carrier.model.named_modules())
        self.names = [f"{n}.weight" for n, m in modules.items() if isinstance(m, nn.Linear)]
        if not self.names:
            raise NetworkError(f"network '{carrier.layers.name}' has no linear layer")
        for name in self.names:
            smallest = min(carrier.model.get_parameter(name).shape)
            if not 1 <= self.rank <= smallest:
                raise ConfigError(f"low-rank rank = {self.rank}; '{name}' allows 1 to {smallest}")

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return U = 0 and V; see :meth:`Correction.start`."""
        del carrier, images
        first: dict[str, Tensor] = {}
        for name in self.names:
            missing = (wanted[name] - tensors[name]).double()
            _, _, right = torch.linalg.svd(missing, full_matrices=False)
            first[f"{name}.u"] = torch.zeros(missing.shape[0], self.rank, device=missing.device)
            first[f"{name}.v"] = right[: self.rank].float()
        return first

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        corrected = dict(tensors)
        for name in self.names:
            term = parameters[f"{name}.u"] @ parameters[f"{name}.v"]
            corrected[name] = tensors[name] + term
        return corrected

    def macs(self, carrier: Carrier) -> int:
        """Count both factors of every linear layer."""
        layers = [carrier.layer(name) for name in self.names]
        return sum(
            layer.mvms * self.rank * (layer.in_channels + layer.out_channels) for layer in layers
        )
