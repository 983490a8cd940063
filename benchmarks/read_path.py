"""CPU time of the exact read path beside a plain float32 forward, on one thread.

    python benchmarks/read_path.py [--repeats 7] [--images 256]

VGG-8's fourth convolution is a matrix of 2304 rows and 256 outputs with 256 input vectors, six
tenths of them 0, as behind a ReLU. LeNet-3 reads random images whose background is one code, as
that of MNIST, with the shipped weights where they are at hand. Process time, best of the repeats;
plain and read path alternate, so that other work on the machine meets both.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from archsim.device import WeightFormat
from archsim.network.load import load_module
from tsb.checkpoint import load_checkpoint
from tsb.read_path.inputs import InputCodes
from tsb.read_path.matrix import StoredMatrix
from tsb.read_path.network import ReadNetwork
from tsb.read_path.product import MatrixRead
from tsb.read_path.read_noise import Noise
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import Converter, ReadSettings

_WEIGHTS = Path(__file__).parents[1] / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
#: Rows, outputs and input positions of VGG-8's fourth convolution.
_ROWS, _OUTPUTS, _VECTORS = 2304, 256, 256
_CHIPS = 8
_FIVE = Converter(bits=5, range="full-scale")
_CALIBRATED = Converter(bits=5)
_NINE = Converter(bits=9, range="full-scale")


def best_s(works: list[Callable[[], object]], repeats: int) -> list[float]:
    """Best process time of each of some works, s, done in turns after one to warm up."""
    best = [float("inf")] * len(works)
    for turn in range(repeats + 1):
        for at, work in enumerate(works):
            start = time.process_time()
            work()
            if turn:
                best[at] = min(best[at], time.process_time() - start)
    return best


def chip(encoding: str, cell_bits: int, converter: Converter, **more: float) -> ReadSettings:
    """A chip of 128 rows."""
    form = WeightFormat(weight_bits=8, bits_per_cell=cell_bits, encoding=encoding)
    return ReadSettings(weight_format=form, converter=converter, **more)  # type: ignore[arg-type]


def product(settings: ReadSettings, *, errors: bool) -> Callable[[], object]:
    """The reading of the convolution's matrix."""
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.integers(-127, 128, (_ROWS, _OUTPUTS)))
    form = settings.stored_format
    wrong = None
    if errors:
        wrong = 0.3 * torch.randn(_ROWS, _OUTPUTS, form.sides, form.slices, dtype=torch.float64)
    matrix = StoredMatrix.of_codes(codes, form, wrong)
    read = MatrixRead(
        matrix=matrix, settings=settings, groups=RowGroups.in_order(_ROWS, rows=settings.rows)
    )
    inputs = rng.integers(0, 256, (_VECTORS, _ROWS)).astype(np.uint8)
    inputs[rng.random(inputs.shape) < 0.6] = 0
    return lambda: read(inputs)


def lenet() -> tuple[nn.Module, Tensor, dict[str, InputCodes]]:
    """LeNet-3, images of a fifth bright pixels, and the codes of its inputs."""
    model = load_module("lenet3", {}).eval()
    if _WEIGHTS.is_file():
        load_checkpoint(_WEIGHTS).load_into(model)
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (1000, 1, 28, 28)) * (torch.rand(1000, 1, 28, 28) < 0.2)
    images = (pixels / 255 - 0.1307) / 0.3081
    return model, images, {"conv1.weight": InputCodes(1 / (255 * 0.3081), 33, 8, "zero-point")}


def network(settings: ReadSettings, *, approximate: bool = False) -> tuple[ReadNetwork, Tensor]:
    """LeNet-3 ready to be read, and its images."""
    model, images, codes = lenet()
    made = ReadNetwork.of_weights(model, settings)
    made.approximate = approximate
    return made.calibrate(images[:100], inputs=codes), images


def line(name: str, plain_s: float, read_s: float, count: int = 1) -> None:
    """Print one measurement."""
    sys.stdout.write(
        f"{name:52s} {1e3 * read_s / count:9.3f} ms  plain {1e3 * plain_s / count:7.3f} ms  "
        f"x{read_s / plain_s:.2f}\n"
    )


def main(repeats: int, images_read: int) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    weights, values = torch.randn(_ROWS, _OUTPUTS), torch.rand(_VECTORS, _ROWS)
    plain: Callable[[], object] = lambda: values @ weights  # noqa: E731
    for name, settings, errors in (
        ("conv4 offset K=2, 5 bits", chip("offset", 2, _FIVE), False),
        ("conv4 offset K=2, 5 bits, errors of cells", chip("offset", 2, _FIVE), True),
        ("conv4 offset K=2, 5 bits, on/off 17", chip("offset", 2, _FIVE, on_off_ratio=17.0), False),
        ("conv4 offset K=2, 9 bits (lossless)", chip("offset", 2, _NINE), False),
        ("conv4 differential K=1, 5 bits", chip("differential", 1, _FIVE), False),
    ):
        plain_s, read_s = best_s([plain, product(settings, errors=errors)], repeats)
        line(name, plain_s, read_s)
    for name, settings in (
        ("LeNet-3 offset K=2, 5 bits calibrated, per image", chip("offset", 2, _CALIBRATED)),
        ("LeNet-3 offset K=2, 5 bits full scale, per image", chip("offset", 2, _FIVE)),
        ("LeNet-3 differential K=1, 5 bits, per image", chip("differential", 1, _CALIBRATED)),
        ("LeNet-3 offset K=2, 9 bits (lossless), per image", chip("offset", 2, _NINE)),
    ):
        ready, images = network(settings)
        some = images[:images_read]

        def forward(ready: ReadNetwork = ready, some: Tensor = some) -> None:
            with torch.no_grad():
                for part in some.split(64):
                    ready.model(part)

        plain_s, read_s = best_s([forward, lambda r=ready, s=some: r.scores(s)], repeats)  # type: ignore[misc]
        line(name, plain_s, read_s, len(some))
    ready, images = network(chip("offset", 2, _CALIBRATED), approximate=True)
    some = images[:images_read]

    def forward_alone() -> None:
        with torch.no_grad():
            for part in some.split(64):
                ready.model(part)

    noisy: Callable[[], object] = lambda: ready.scores(some, Noise(0))  # noqa: E731
    works = [forward_alone, lambda: ready.scores(some), noisy]
    plain_s, mean_s, noisy_s = best_s(works, repeats)
    line("LeNet-3 approximate, on average, per image", plain_s, mean_s, len(some))
    line("LeNet-3 approximate, with its noise, per image", plain_s, noisy_s, len(some))
    chips()


def chips() -> None:
    """Measure LeNet-3 on some chips with errors of their own, 1000 images each."""
    ready, images = network(chip("offset", 2, replace(_CALIBRATED)))
    start = time.process_time()
    for seed in range(_CHIPS):
        generator = torch.Generator().manual_seed(seed)
        errors = {
            name: 0.3 * torch.randn(
                *(sum(one.outputs for one in parts), parts[0].rows, parts[0].sides,
                  parts[0].slices),
                generator=generator, dtype=torch.float64,
            )
            for name, parts in ready.matrices.items()
        }  # fmt: skip
        ready.with_errors(errors, chip=seed).scores(images)
    seconds = time.process_time() - start
    sys.stdout.write(f"LeNet-3, {_CHIPS} chips x 1000 images: {seconds:.2f} s\n")


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}'; allowed: a whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=_count, default=7)
    parser.add_argument("--images", type=_count, default=256)
    chosen = parser.parse_args()
    main(chosen.repeats, chosen.images)
