"""Residual networks after He et al., "Deep residual learning for image recognition", CVPR 2016.

Two stems: ``imagenet`` (7x7 convolution of stride 2 and 3x3 max pooling of stride 2) and ``cifar``
(one 3x3 convolution). Two shortcuts where a block changes the shape: ``conv`` (1x1 convolution with
batch norm, option B of the paper) and ``none`` (subsample and pad with zero channels, option A: no
weights).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from archsim.errors import Code, NetworkError
from archsim.network.zoo.base import ZooModel, image_size, kaiming


class ZeroPadShortcut(nn.Module):
    """Option A: every ``stride``-th pixel, and ``extra`` zero channels at the end."""

    def __init__(self, stride: int, extra: int) -> None:
        """Store ``stride`` in pixels and the number of ``extra`` channels."""
        super().__init__()
        self.stride = stride
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, C, H, W)`` to ``(batch, C + extra, ceil(H / stride), ceil(W / stride))``."""
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


def shortcut(in_channels: int, out_channels: int, stride: int, downsample: str) -> nn.Module:
    """The path around a block: the identity where the shape stays, else as ``downsample`` says."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if downsample == "none":
        return ZeroPadShortcut(stride, out_channels - in_channels)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around which the input is added."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, downsample: str) -> None:
        """Build a block from ``in_channels`` to ``width`` channels; ``conv1`` has the stride."""
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(in_channels, width, stride, downsample)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, C, H, W)`` to ``(batch, width, H / stride, W / stride)``."""
        main = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu2(main + self.downsample(x))
        return out


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around which the input is added.

    The 3x3 convolution strides ("v1.5", as in common ImageNet implementations), not the first 1x1
    as in the paper.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, downsample: str) -> None:
        """Build a block from ``in_channels`` through ``width`` to ``4 * width`` channels."""
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride, downsample)
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, C, H, W)`` to ``(batch, 4 * width, H / stride, W / stride)``."""
        main = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))
        out: Tensor = self.relu3(self.bn3(self.conv3(main)) + self.downsample(x))
        return out


_BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}


class ResNet(ZooModel):
    """A residual network; stages are called ``layer1``, ``layer2``... and blocks ``layer1.0``..."""

    def __init__(
        self,
        *,
        depths: Sequence[int],
        widths: Sequence[int],
        block: str = "basic",
        stem: str = "imagenet",
        downsample: str = "conv",
        input_size: int | tuple[int, int] = 224,
        in_channels: int = 3,
        num_classes: int = 1000,
    ) -> None:
        """Build the network.

        Args:
            depths: Blocks of each stage.
            widths: Channels of each stage, before the expansion of the block.
            block: ``basic`` or ``bottleneck``.
            stem: ``imagenet`` or ``cifar``.
            downsample: Shortcut where the shape changes: ``conv`` or ``none``.
            input_size: Height and width, in pixels.
            in_channels: Channels of the input.
            num_classes: Outputs.

        Raises:
            NetworkError: A choice is unknown, or ``depths`` and ``widths`` differ in length.
        """
        super().__init__()
        _check("block", block, tuple(_BLOCKS))
        _check("stem", stem, ("imagenet", "cifar"))
        _check("downsample", downsample, ("conv", "none"))
        if len(depths) != len(widths):
            raise NetworkError(
                f"depths {tuple(depths)} and widths {tuple(widths)} differ in length",
                code=Code.SHAPE_MISMATCH,
                field="depths",
                value=tuple(depths),
                allowed=f"{len(widths)} entries",
            )
        height, width = image_size(input_size)
        self.input_shape = (in_channels, height, width)
        self.num_classes = num_classes
        large = stem == "imagenet"
        self.conv1 = nn.Conv2d(
            in_channels,
            widths[0],
            7 if large else 3,
            stride=2 if large else 1,
            padding=3 if large else 1,
            bias=False,
        )
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        self.stages = tuple(f"layer{i + 1}" for i in range(len(depths)))
        make, channels = _BLOCKS[block], widths[0]
        for i, (stage, depth, stage_width) in enumerate(
            zip(self.stages, depths, widths, strict=True)
        ):
            blocks: list[nn.Module] = []
            for j in range(depth):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(make(channels, stage_width, stride, downsample))
                channels = stage_width * make.expansion
            self.add_module(stage, nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, shape ``(batch, num_classes)``, of ``(batch, channels, H, W)`` images."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        scores: Tensor = self.fc(self.avgpool(x).flatten(1))
        return scores


def _check(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise NetworkError(
            f"{field} is '{value}'; allowed are {', '.join(allowed)}",
            code=Code.UNKNOWN_NAME,
            field=field,
            value=value,
            allowed=allowed,
        )


def resnet18(
    *,
    input_size: int | tuple[int, int] = 224,
    in_channels: int = 3,
    num_classes: int = 1000,
    stem: str = "imagenet",
    downsample: str = "conv",
    widths: Sequence[int] = (64, 128, 256, 512),
) -> ResNet:
    """ResNet-18: four stages of two basic blocks; arguments as in :class:`ResNet`."""
    return ResNet(
        depths=(2, 2, 2, 2),
        widths=widths,
        stem=stem,
        downsample=downsample,
        input_size=input_size,
        in_channels=in_channels,
        num_classes=num_classes,
    )


def resnet20(
    *,
    input_size: int | tuple[int, int] = 32,
    in_channels: int = 3,
    num_classes: int = 10,
    downsample: str = "conv",
) -> ResNet:
    """ResNet-20 for CIFAR: three stages of three basic blocks; arguments as in :class:`ResNet`."""
    return ResNet(
        depths=(3, 3, 3),
        widths=(16, 32, 64),
        stem="cifar",
        downsample=downsample,
        input_size=input_size,
        in_channels=in_channels,
        num_classes=num_classes,
    )


def resnet50(
    *,
    input_size: int | tuple[int, int] = 224,
    in_channels: int = 3,
    num_classes: int = 1000,
    stem: str = "imagenet",
    downsample: str = "conv",
) -> ResNet:
    """ResNet-50 v1.5: stages of 3, 4, 6, 3 bottlenecks; arguments as in :class:`ResNet`."""
    return ResNet(
        depths=(3, 4, 6, 3),
        widths=(64, 128, 256, 512),
        block="bottleneck",
        stem=stem,
        downsample=downsample,
        input_size=input_size,
        in_channels=in_channels,
        num_classes=num_classes,
    )
