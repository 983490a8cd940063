"""Read a network from the crossbars of a chip, and see what that does to its accuracy.

checkpoint -> programmed chips -> column sums -> converters -> accuracy, with each effect off in
turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from archsim.analysis.reading import (
    CalibrationImages,
    ChipCells,
    StoredWeights,
    mean_and_error,
    read_network,
)
from archsim.api.exact import exact_read
from archsim.api.trained import trained_network, usual_data, write_masks_of
from archsim.config.overrides import Overrides, as_overrides
from archsim.config.resolve import DEFAULT_CHIP, resolve, tsb_preset_for
from archsim.device import CellSpec
from archsim.results.reading import ReadResult
from archsim.util.checks import last_seed_of, whole_number
from tsb.cells.programmable import programmable
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import tensors_hash
from tsb.data import load_dataset
from tsb.program.cell_errors import cell_errors, source_of_cells, stored_codes
from tsb.program.chip import deploy
from tsb.program.storage import WeightStorage
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
    overrides: Overrides = (),
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
        overrides=as_overrides(overrides),
    )
    spec = CellSpec.of_chip(
        resolved,
        encoding=encoding or resolved.chip.precision.encoding,
        sigma_of_range=sigma,
    )
    trained, chosen = trained_network(network, checkpoint, options or {})
    dataset = load_dataset(data or usual_data(network), data_root)
    dataset.check_fits(trained, network)
    programmed_network = programmable(trained.eval(), network=network)
    model = programmed_network.model
    exact = exact_read(programmed_network, resolved, spec, dataset, network)
    storage = WeightStorage(cell=CellModel.of(spec, verifiable=choice.policy.verifies))
    masks = write_masks_of(choice, model, storage, seed)
    programmed = [
        deploy(model, storage, seed=one, network=network, options=chosen, verified=masks)
        for one in range(seed, seed + chips)
    ]
    wanted = programmed[0].wanted
    found = read_network(
        model,
        exact.settings,
        exact.groups,
        [
            ChipCells(
                one.seed,
                cell_errors(one.stored, wanted, masks, storage, source_of_cells(one.seed)),
                one.tensors,
            )
            for one in programmed
        ],
        StoredWeights(wanted, *stored_codes(wanted, storage)),
        dataset.test.spread(images),
        CalibrationImages(inputs=exact.inputs, ranges=exact.ranges),
        said=progress or (lambda _: None),
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
