"""Accuracy of a network on programmed chips, and the images that it is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archsim.device import WeightFormat
from archsim.errors import Code, ConfigError
from archsim.results.programmed import MeasuredAccuracy
from archsim.results.read_said import ReadSaid
from archsim.util.checks import number, whole_number
from tsb.cells.read_out import ReadOut
from tsb.data import Dataset, Split
from tsb.monte_carlo import MonteCarloResult, alike_chips, monte_carlo
from tsb.program.read_accuracy import ExactRead, read_accuracy

#: Images in one batch of the accuracy, which bounds memory on large networks.
_IMAGES_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Labelled images: training images for scores, test images for the accuracy.

    Attributes:
        dataset: with its splits.
        score_images: training images behind second derivatives and gradients.
        test_images: test images behind the accuracy; None takes all.
        chips: programmed chips whose accuracy is averaged; 0 measures none.
        images_per_chip: test images of each chip, drawn anew for each; None takes all for all.
        half_width: of the 95 % interval of the mean, as a fraction; no further chips are programmed
            once it is that narrow (looked at after every 16). None programs all.
    """

    dataset: Dataset
    score_images: int = 2000
    test_images: int | None = None
    chips: int = 20
    images_per_chip: int | None = None
    half_width: float | None = None

    def __post_init__(self) -> None:
        """Check the counts.

        Raises:
            ConfigError: not whole numbers, or out of range.
        """
        whole_number("score_images (--score-images)", self.score_images, 1)
        if self.test_images is not None:
            whole_number("test_images (--test-images)", self.test_images, 1)
        whole_number("chips (--chips)", self.chips, 0)
        if self.images_per_chip is not None:
            most = len(self.test_split)
            whole_number("images_per_chip (--images-per-chip)", self.images_per_chip, 1)
            if self.images_per_chip > most:
                raise ConfigError(
                    f"images_per_chip (--images-per-chip) = {self.images_per_chip}; allowed: 1 to "
                    f"{most}, the test images",
                    code=Code.OUT_OF_RANGE,
                    field="images_per_chip (--images-per-chip)",
                    value=self.images_per_chip,
                    allowed=f"1 to {most}",
                )
        if self.half_width is not None:
            number("half_width (--half-width, points / 100)", self.half_width, 0.0)

    def shortages(self) -> Iterator[str]:
        """Say where more images were asked for than there are."""
        for option, asked, split in (
            ("--score-images", self.score_images, self.dataset.train),
            ("--test-images", self.test_images, self.dataset.test),
        ):
            if asked is not None and asked > len(split):
                yield f"{option} {asked}: {self.dataset.name} has {len(split):,}; all are used."

    @property
    def score_split(self) -> Split:
        """Training images for scores."""
        return _spread(self.dataset.train, self.score_images)

    @property
    def test_split(self) -> Split:
        """Test images for the accuracy."""
        test = self.dataset.test
        return test if self.test_images is None else _spread(test, self.test_images)


def _spread(split: Split, count: int) -> Split:
    """Return ``count`` images evenly spaced over a split: all classes, also where it is sorted."""
    count = min(count, len(split))
    index = torch.arange(count) * len(split) // count
    return Split(split.images[index], split.labels[index])


def measure_accuracy(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    read_out: ReadOut,
    evidence: Evidence,
    generator: torch.Generator,
    exact: ExactRead | None = None,
) -> MeasuredAccuracy:
    """Measure the accuracy without error and over programmed chips, on the same images.

    Every chip is programmed and read anew; the noise of that one read, where the device has any,
    stays the same for all images. The mean over chips is what counts; the spread between chips is
    that of programming and reading together.

    Args:
        model: the network, in evaluation mode.
        weights: what is to be programmed, by name.
        read_out: how chips are programmed and read.
        evidence: test images, and how many chips.
        generator: source of all randomness.
        exact: how chips are read; None leaves the read path off.

    Raises:
        ArchsimError: settings or layers that cannot be read.
    """
    split = evidence.test_split

    def measure(
        one: Callable[[torch.Generator], Mapping[str, Tensor]],
        chips: int,
        images_per_instance: int | None = None,
        half_width: float | None = None,
    ) -> MonteCarloResult:
        return monte_carlo(
            model,
            alike_chips(one),
            split.images,
            split.labels,
            chips=chips,
            generator=generator,
            images_at_once=_IMAGES_AT_ONCE,
            images_per_instance=images_per_instance,
            half_width=half_width,
        )

    form = read_out.weight_format
    ideal = {name: rounded(weight, form) for name, weight in weights.items()}
    clean = measure(lambda _: ideal, 1).stats
    if exact is None:
        read = ReadSaid()
        noisy = measure(
            lambda source: read_out.draw(weights, source),
            evidence.chips,
            evidence.images_per_chip,
            evidence.half_width,
        ).stats
    else:
        measured = read_accuracy(
            model,
            weights,
            read_out,
            exact,
            split,
            chips=evidence.chips,
            generator=generator,
            images_per_chip=evidence.images_per_chip,
            half_width=evidence.half_width,
        )
        noisy, read = measured.stats, measured.read
    return MeasuredAccuracy(
        ideal=clean.mean,
        mean=noisy.mean,
        ci95_low=noisy.ci95_low,
        ci95_high=noisy.ci95_high,
        worst=noisy.worst,
        chips=noisy.chips,
        images=noisy.images,
        data=evidence.dataset.name,
        read=read,
    )


def rounded(weight: Tensor, weight_format: WeightFormat) -> Tensor:
    """Return the weights that the codes of a format stand for.

    Args:
        weight: one tensor.
        weight_format: bits and encoding.
    """
    codes, scale = weight_format.quantise(weight)
    return (codes * scale).to(weight.dtype)
