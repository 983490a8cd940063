"""Random shifts and mirror images of a batch: the usual augmentation for CIFAR-10."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

#: Pixels of padding from which a random window of the original size is cut (He et al., CVPR 2016,
#: doi:10.1109/CVPR.2016.90, section 4.2).
CROP_PADDING = 4


def flip_and_crop(
    images: Float[Tensor, "image channel height width"],
    generator: torch.Generator,
    padding: int = CROP_PADDING,
) -> Float[Tensor, "image channel height width"]:
    """Shift every image by up to ``padding`` pixels each way, and mirror half of them.

    What comes in at the edge is 0, the mean of a normalised image.

    Args:
        images: a batch.
        generator: source of all randomness, on the CPU.
        padding: largest shift, pixels.
    """
    count, _, height, width = images.shape
    span = 2 * padding + 1
    top = torch.randint(span, (count, 1), generator=generator)
    left = torch.randint(span, (count, 1), generator=generator)
    mirror = torch.rand((count, 1), generator=generator) < 1 / 2
    rows, cols = top + torch.arange(height), left + torch.arange(width)
    cols = torch.where(mirror, cols.flip(1), cols)
    padded = functional.pad(images, (padding,) * 4)
    image = torch.arange(count).view(-1, 1, 1)
    device = images.device
    cut = padded.permute(0, 2, 3, 1)[
        image.to(device), rows.unsqueeze(2).to(device), cols.unsqueeze(1).to(device)
    ]
    return cut.permute(0, 3, 1, 2).contiguous()
