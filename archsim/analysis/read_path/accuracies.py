"""Accuracies of LeNet-3 behind a read path, against reference data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from archsim.analysis.read_path.products import read_settings, rows_of
from archsim.analysis.row_groups import mapped_row_groups
from archsim.config.load import Setting
from archsim.config.resolve import resolve
from archsim.errors import Code, DataError
from archsim.network.load import load_module, load_network
from archsim.results.read_path import GROUPS, ReferenceCase
from tsb.checkpoint import load_checkpoint
from tsb.data.load import raw_images
from tsb.data.sources import source
from tsb.read_path.inputs import InputCodes
from tsb.read_path.network import ReadNetwork
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import ReadSettings, Wires

_WEIGHTS = "lenet3.safetensors"
#: Images of the reference: for input codes, and for the ranges of converters.
_INPUT_IMAGES, _RANGE_IMAGES = 500, 100
_LAYERS = ("conv1", "conv2", "fc")
_MODELS = {"none": "none", "gated-exact": "gated"}


@dataclass(frozen=True, eq=False)
class LeNet:
    """The reference's network and images.

    Attributes:
        model: LeNet-3 with its weights.
        calibration: first training images, normalised.
        images: test images, normalised.
        labels: of the test images.
        pixel: input codes of the first layer: a pixel is its own code.
    """

    model: nn.Module
    calibration: Tensor
    images: Tensor
    labels: Tensor
    pixel: InputCodes

    @classmethod
    def load(cls, data_root: Path | None, weights: Path | None = None) -> LeNet:
        """Read MNIST and the weights.

        Args:
            data_root: with the files of MNIST, and perhaps the weights.
            weights: checkpoint; None looks for ``lenet3.safetensors`` below the data and in the
                repository.

        Raises:
            DataError: no images, or no weights.
        """
        mnist = source("mnist")
        train, test = raw_images("mnist", data_root)
        mean, std = mnist.mean[0], mnist.std[0]

        def normalised(pixels: Tensor) -> Tensor:
            return (pixels.float() / 255 - mean) / std

        model = load_module("lenet3", {})
        load_checkpoint(weights or _find_weights(data_root)).load_into(model)
        return cls(
            model=model.eval(),
            calibration=normalised(train.images[:_INPUT_IMAGES]),
            images=normalised(test.images),
            labels=test.labels,
            pixel=InputCodes(1 / (255 * std), round(255 * mean), 8, "zero-point"),
        )


def _find_weights(data_root: Path | None) -> Path:
    """Return the checkpoint below the data, or the repository's."""
    if data_root is not None:
        for place in sorted(data_root.rglob(_WEIGHTS)):
            return place
    beside = Path(__file__).parents[3] / "tests" / "data" / "checkpoints" / _WEIGHTS
    if beside.is_file():
        return beside
    raise DataError.of(
        Code.MISSING_FILE,
        data_root or beside.parent,
        problem=f"no '{_WEIGHTS}' (weights of LeNet-3); allowed: --checkpoint FILE",
    )


def compare_accuracies(
    group: str,
    folder: Path,
    lenet: LeNet,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[ReferenceCase]:
    """Compare the correct answers of every row of a file.

    Args:
        group: ``accuracy``, ``accuracy_mapped`` or ``accuracy_wires``.
        folder: with the file, and the normals of the chips that it names.
        lenet: network and images.
        said: told of every row.
    """
    path = folder / GROUPS[group]
    rows = list(rows_of(path))
    normals: dict[str, dict[str, Tensor]] = {}
    for number, row in enumerate(rows):
        chip = row.get("chip") or ""
        if chip and chip not in normals:
            normals[chip] = load_file(folder / f"lenet3_normals_chip_{chip}.safetensors")
        network = _network(row, lenet, normals.get(chip))
        first, count = int(row["first_image"]), int(row["images"])
        scores = network.scores(lenet.images[first : first + count])
        right = int((scores.argmax(1) == lenet.labels[first : first + count]).sum())
        difference = abs(right - int(row["correct"]))
        said(f"{group} {number + 1}/{len(rows)}: {right} of {count} (reference {row['correct']})")
        yield ReferenceCase(group, f"row {number + 2}", float(difference), difference / count)


def _network(row: dict[str, str], lenet: LeNet, normals: dict[str, Tensor] | None) -> ReadNetwork:
    settings = _settings(row)
    groups = _groups(row, settings)
    errors = None
    if normals is not None and float(row["sigma"]):
        errors = _errors(settings, float(row["sigma"]), normals)
    inputs = {"conv1.weight": lenet.pixel}

    def calibrated(with_settings: ReadSettings) -> ReadNetwork:
        network = ReadNetwork.of_weights(lenet.model, with_settings, groups, errors=errors)
        return network.calibrate(
            lenet.calibration, range_images=lenet.calibration[:_RANGE_IMAGES], inputs=inputs
        )

    if row["rule"] != "calibrated-ideal" or not settings.wires.act:
        return calibrated(settings)
    # Ranges of the sums as they would be without wires.
    ideal = calibrated(settings.but(wires=Wires()))
    converter = replace(settings.converter, range="full-scale")
    network = calibrated(settings.but(converter=converter))
    for name, layer in network.layers.items():
        for read, other in zip(layer.reads, ideal.layers[name].reads, strict=True):
            read.grids = other.grids
    return network


def _settings(row: dict[str, str]) -> ReadSettings:
    if "r_on_ohm" not in row:
        return read_settings(row)
    r_on, r_off = float(row["r_on_ohm"]), float(row["r_off_ohm"])
    wires = Wires(
        model=_MODELS.get(row["model"], row["model"]),
        ohm_per_cell=float(row["wire_ohm"]),
        r_on_ohm=r_on,
        columns=int(row.get("columns") or 128),
        rows_at=row["rows_at"] or "top",
    )
    return read_settings(row, on_off_ratio=r_off / r_on, wires=wires)


def _errors(settings: ReadSettings, sigma: float, normals: dict[str, Tensor]) -> dict[str, Tensor]:
    """Errors of cells, levels; the normals have ``row column side slice``, lowest slice first."""
    form = settings.stored_format
    return {
        f"{name}.weight": (
            normals[name][:, :, : form.sides, : form.slices].double().flip(-1)
            * (sigma * settings.top_level)
        ).permute(1, 0, 2, 3)
        for name in _LAYERS
    }


def _groups(row: dict[str, str], settings: ReadSettings) -> dict[str, RowGroups] | None:
    """Return the groups that the row writes out, or those of the mapping."""
    if "kernel_per_pe" not in row:
        return None
    written = {name: row.get(f"{name}_groups") for name in _LAYERS}
    if all(written.values()):
        return {
            f"{name}.weight": RowGroups.of_crossbars(
                _crossbars(str(text)), rows_at_once=settings.rows_read
            )
            for name, text in written.items()
        }
    form = settings.weight_format
    resolved = resolve(
        chip="rram-22nm",
        overrides=[
            Setting("chip.crossbar.rows", settings.rows),
            Setting("chip.crossbar.cols", 128),
            Setting("chip.hierarchy.kernel_per_pe", row["kernel_per_pe"] == "true"),
            Setting("chip.precision.bits_per_cell", form.bits_per_cell),
            Setting("chip.precision.encoding", form.encoding),
        ],
    )
    mapped = mapped_row_groups(load_network("lenet3"), resolved)
    return {f"{name}.weight": mapped[name] for name in _LAYERS}


def _crossbars(text: str) -> list[list[int]]:
    """Read ``AxB+...``: A crossbars of B rows, in order or by kernel position."""
    sizes = [
        int(rows) for count, rows in re.findall(r"(\d+)x(\d+)", text) for _ in range(int(count))
    ]
    if "kernel position" not in text:
        starts = [sum(sizes[:index]) for index in range(len(sizes))]
        return [list(range(at, at + size)) for at, size in zip(starts, sizes, strict=True)]
    area = 9
    per_position = len(sizes) // area
    crossbars = []
    for position in range(area):
        channel = 0
        for size in sizes[position * per_position : (position + 1) * per_position]:
            crossbars.append([(channel + at) * area + position for at in range(size)])
            channel += size
    return crossbars
