"""VGG-8: six convolutions and two fully connected layers for 32x32 images."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.network.zoo.base import ZooModel, image_size, kaiming


class VGG8(ZooModel):
    """Three pairs of 3x3 convolutions, each followed by 2x2 max pooling, and two linear layers.

    Layers are called ``conv1`` to ``conv6`` (with ``bn1`` to ``bn6``), ``fc1`` and ``fc2``.
    """

    def __init__(
        self,
        *,
        input_size: int | tuple[int, int] = 32,
        in_channels: int = 3,
        num_classes: int = 10,
        widths: tuple[int, int, int] = (128, 256, 512),
        hidden: int = 1024,
        batch_norm: bool = True,
    ) -> None:
        """Build the network.

        Args:
            input_size: Height and width, in pixels.
            in_channels: Channels of the input.
            num_classes: Outputs.
            widths: Channels of the three pairs of convolutions.
            hidden: Features between the two linear layers.
            batch_norm: Whether a batch norm replaces the bias of each convolution.
        """
        super().__init__()
        height, width = image_size(input_size, smallest=8)
        self.input_shape = (in_channels, height, width)
        self.num_classes = num_classes
        channels = [in_channels, *(w for w in widths for _ in range(2))]
        for i in range(1, 7):
            conv = nn.Conv2d(channels[i - 1], channels[i], 3, padding=1, bias=not batch_norm)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"bn{i}", nn.BatchNorm2d(channels[i]) if batch_norm else nn.Identity())
            self.add_module(f"relu{i}", nn.ReLU())
            if i % 2 == 0:
                self.add_module(f"pool{i // 2}", nn.MaxPool2d(2))
        self.fc1 = nn.Linear(widths[-1] * (height // 8) * (width // 8), hidden)
        self.relu7 = nn.ReLU()
        self.fc2 = nn.Linear(hidden, num_classes)
        kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, shape ``(batch, num_classes)``, of ``(batch, channels, H, W)`` images."""
        x = images
        for i in range(1, 7):
            for part in ("conv", "bn", "relu"):
                x = self.get_submodule(f"{part}{i}")(x)
            if i % 2 == 0:
                x = self.get_submodule(f"pool{i // 2}")(x)
        scores: Tensor = self.fc2(self.relu7(self.fc1(x.flatten(1))))
        return scores
