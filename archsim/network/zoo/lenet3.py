"""LeNet-3: two convolutions and one fully connected layer for 28x28 digits."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.network.zoo.base import ZooModel, image_size


class LeNet3(ZooModel):
    """Two 3x3 convolutions, each followed by 2x2 max pooling, and one linear layer."""

    def __init__(
        self,
        *,
        input_size: int | tuple[int, int] = 28,
        in_channels: int = 1,
        num_classes: int = 10,
        channels: tuple[int, int] = (5, 10),
        batch_norm: bool = False,
    ) -> None:
        """Build the network.

        Args:
            input_size: Height and width, in pixels.
            in_channels: Channels of the input.
            num_classes: Outputs.
            channels: Output channels of the two convolutions.
            batch_norm: Whether a batch norm replaces the bias of each convolution.
        """
        super().__init__()
        height, width = image_size(input_size, smallest=4)
        self.input_shape = (in_channels, height, width)
        self.num_classes = num_classes
        first, second = channels
        self.conv1 = nn.Conv2d(in_channels, first, 3, padding=1, bias=not batch_norm)
        self.bn1 = nn.BatchNorm2d(first) if batch_norm else nn.Identity()
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1, bias=not batch_norm)
        self.bn2 = nn.BatchNorm2d(second) if batch_norm else nn.Identity()
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.fc = nn.Linear(second * (height // 4) * (width // 4), num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, shape ``(batch, num_classes)``, of ``(batch, channels, H, W)`` images."""
        x = self.pool1(self.relu1(self.bn1(self.conv1(images))))
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        scores: Tensor = self.fc(x.flatten(1))
        return scores
