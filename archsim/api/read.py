"""Read a network from the crossbars of a chip, and see what that does to its accuracy.

checkpoint -> programmed chips -> column sums -> converters -> accuracy, with each effect off in
turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from torch import nn

from archsim.analysis.reading import (
    CalibrationImages,
    ChipCells,
    Reading,
    StoredWeights,
    mean_and_error,
    read_network,
)
from archsim.analysis.row_groups import mapped_row_groups
from archsim.api.program.run import usual_data
from archsim.api.trained import trained_network, write_masks_of
from archsim.config.load import Override
from archsim.config.resolve import DEFAULT_CHIP, resolve, tsb_preset_for
from archsim.device import CellSpec
from archsim.errors import Code, NetworkError
from archsim.results.reading import ReadResult
from archsim.util.checks import last_seed_of, whole_number
from tsb.cells.programmable import programmable
from tsb.cells.stored import layer_names
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import tensors_hash
from tsb.data import Dataset, load_dataset
from tsb.program.cell_errors import cell_errors, source_of_cells, stored_codes
from tsb.program.chip import WeightStorage, deploy
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import ReadSettings
from tsb.study.read_path import INPUT_IMAGES, RANGE_IMAGES
from tsb.write_verify.policy.text import parse_choice

#: Chips and test images where nobody says: some hundred reads tell effects of a point apart.
CHIPS, IMAGES = 2, 200
_HASH_DIGITS = 16


def read(
    network: str,
    checkpoint: str | Path,
    *,
    data: str | None = None,
    data_root: str | Path | None = None,
    images: int = IMAGES,
    chips: int = CHIPS,
    seed: int = 0,
    sigma: float | None = None,
    encoding: str | None = None,
    write: str = "none",
    options: Mapping[str, object] | None = None,
    chip: str = DEFAULT_CHIP,
    technology: str | None = None,
    device: str | None = None,
    tsb: str | None = None,
    overrides: Iterable[Override] = (),
    progress: Callable[[str], None] | None = None,
) -> ReadResult:
    """Read a trained network exactly, and say what limits its accuracy.

    Input codes and the ranges of converters are calibrated on training images, on a chip without
    errors; accuracies are those of test images, the same for all. Rows are read together as the
    mapping places them.

    Args:
        network: zoo name or ``package.module:function``.
        checkpoint: trained weights, safetensors.
        data: data set; None takes the network's usual one.
        data_root: where it lies; None looks in the usual places and then downloads.
        images: test images, spread over all of them; at most all.
        chips: programmed ones.
        seed: of the first chip, 0 to 2^32 - 1; the others count up.
        sigma: replaces the device's spread; relative to the range of conductance.
        encoding: of weights on cells; None: the chip's.
        write: which weights are write-verified: a policy that needs no data, e.g. ``all``.
        options: of the network; they come before those that the checkpoint names.
        chip: chip preset or YAML path.
        technology: replaces the chip's technology.
        device: replaces the chip's device.
        tsb: preset of the shared block; without influence here.
        overrides: ``path=value`` settings, e.g. ``chip.adc.bits=4``.
        progress: told of every step.

    Raises:
        ArchsimError: whatever is wrong with names, settings, files or data; a layer or settings
            that cannot be read, by name.
    """
    whole_number("images (--images)", images, 1)
    whole_number("chips (--chips)", chips, 1)
    last_seed_of(seed, chips, what="chips")
    choice = parse_choice(write, field="write (--write)")
    resolved = resolve(
        chip=chip,
        technology=technology,
        device=device,
        tsb=tsb or tsb_preset_for(network),
        overrides=overrides,
    )
    spec = CellSpec.of_chip(
        resolved,
        encoding=encoding or resolved.chip.precision.encoding,
        sigma_of_range=sigma,
    )
    settings = ReadSettings.of_chip(resolved, spec.weight_format, noisy=True)
    trained, chosen = trained_network(network, checkpoint, options or {})
    dataset = load_dataset(data or usual_data(network), data_root)
    dataset.check_fits(trained, network)
    found_network = programmable(trained.eval(), network=network)
    if found_network.graph is None:
        raise NetworkError(
            f"network '{network}' is not mapped, so that its rows are not known: "
            f"{found_network.untraced}",
            code=Code.UNSUPPORTED,
            field="network",
            value=network,
            allowed="networks that archsim map takes",
        )
    model, graph = found_network.model, found_network.graph
    storage = WeightStorage(cell=CellModel.of(spec, verifiable=choice.policy.verifies))
    masks = write_masks_of(choice, model, storage, seed)
    programmed = [
        deploy(model, storage, seed=one, network=network, options=chosen, verified=masks)
        for one in range(seed, seed + chips)
    ]
    wanted = programmed[0].wanted
    mapped, layers = mapped_row_groups(graph, resolved), layer_names(model) or {}
    found = _read(
        model,
        {name: mapped[layer] for name, layer in layers.items() if layer in mapped},
        settings,
        dataset,
        [
            ChipCells(
                one.seed,
                cell_errors(one.stored, wanted, masks, storage, source_of_cells(one.seed)),
                one.tensors,
            )
            for one in programmed
        ],
        StoredWeights(wanted, *stored_codes(wanted, storage)),
        images,
        progress or (lambda _: None),
    )
    lost, lost_error = mean_and_error(found.ideal.double() - found.exact.double())
    return ReadResult(
        network=network,
        checkpoint_hash=tensors_hash(model.state_dict())[:_HASH_DIGITS],
        data=dataset.name,
        images=len(found.ideal),
        chips=chips,
        seed=seed,
        encoding=spec.encoding,
        sigma=spec.sigma_of_range,
        exact=float(found.exact.double().mean()),
        exact_by_chip=tuple(found.exact.double().mean(1).tolist()),
        off=float(found.off.double().mean()),
        off_by_chip=tuple(found.off.double().mean(1).tolist()),
        ideal=float(found.ideal.double().mean()),
        codes_alone=float(found.codes_alone.double().mean()),
        lost=lost,
        lost_error=lost_error,
        effects=found.effects,
        layers=found.layers,
        resolved=resolved,
    )


def _read(
    model: nn.Module,
    groups: Mapping[str, RowGroups],
    settings: ReadSettings,
    dataset: Dataset,
    chips: list[ChipCells],
    stored: StoredWeights,
    images: int,
    said: Callable[[str], None],
) -> Reading:
    training = dataset.train.spread(INPUT_IMAGES).images
    return read_network(
        model,
        settings,
        groups,
        chips,
        stored,
        dataset.test.spread(images),
        CalibrationImages(inputs=training, ranges=training[:RANGE_IMAGES]),
        said=said,
    )
