"""Single chips from files, read exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from archsim.analysis.row_groups import mapped_row_groups
from archsim.config.load import Override, Setting
from archsim.config.resolve import resolve, tsb_preset_for
from archsim.errors import Code, ConfigError, DataError
from archsim.results.read_said import ReadSaid
from tsb.correction import CorrectedChip
from tsb.correction.base import Carrier
from tsb.correction.exact import ExactReader
from tsb.correction.read_tuning import ReadTuning
from tsb.correction.used import ChipInUse
from tsb.data import Dataset, Split
from tsb.monte_carlo import MonteCarloResult
from tsb.program.chip import ProgrammedChip
from tsb.program.chip_read import Conditions
from tsb.read_path.settings import ReadSettings
from tsb.study.read_path import INPUT_IMAGES, RANGE_IMAGES
from tsb.write_verify.selective import Masks, verify_all, verify_none


def reader_of_chips(
    chips: Sequence[ProgrammedChip],
    carrier: Carrier,
    dataset: Dataset,
    *,
    chip: str,
    overrides: Iterable[Override],
) -> ExactReader:
    """Return what reads chips exactly, calibrated on training images.

    Args:
        chips: of one network and one backbone.
        carrier: the network, with corrections attached.
        dataset: whose training images input codes and ranges are taken from.
        chip: preset or YAML file of the design that they are read by.
        overrides: settings of it; bits of weights and cells are those of the files.

    Raises:
        ConfigError: settings that cannot be read.
        DataError: chips of different cells or backbones.
        NetworkError: a layer that cannot be read, by name.
    """
    first = chips[0]
    cell = first.storage.cell
    for other in chips:
        if other.backbone != first.backbone or other.storage.cell != cell:
            raise DataError(
                "chips of different weights or cells cannot be read by the same converters; "
                "allowed: chips of one archsim deploy",
                code=Code.CONFLICT,
                field="chips",
                value=other.seed,
                allowed="chips of one archsim deploy",
            )
    bits = [
        Setting("chip.precision.weight_bits", cell.weight_bits),
        Setting("chip.precision.bits_per_cell", cell.bits_per_cell),
    ]
    if cell.weight_bits % cell.bits_per_cell:
        bits.append(Setting("chip.precision.pad_top_slice", True))
    resolved = resolve(chip=chip, tsb=tsb_preset_for(first.network), overrides=[*bits, *overrides])
    settings = ReadSettings.of_chip(resolved, cell.weight_format)
    # Inputs and ranges are those of the network without errors.
    carrier.model.load_state_dict({**carrier.model.state_dict(), **first.wanted})
    return ExactReader.of_backbone(
        carrier,
        first,
        settings.but(read_noise=cell.read_noise_sigma, read_noise_law=cell.read_noise_law),
        mapped_row_groups(carrier.layers, resolved),
        dataset.train.spread(INPUT_IMAGES).images,
        range_images=RANGE_IMAGES,
    )


def read_chips(
    reader: ExactReader, chips: Sequence[CorrectedChip], split: Split, *, runs: int, seed: int
) -> tuple[MonteCarloResult, ReadSaid]:
    """Measure chips as they are read.

    Args:
        reader: of their backbone.
        chips: with their corrections.
        split: test images.
        runs: how often corrections are written.
        seed: of the writing.

    Raises:
        ConfigError: a correction that cannot be read exactly, by name, or a chip that does not say
            which of its weights are write-verified.
    """
    used = [
        ChipInUse(corrected=one, verified=_verified(one.chip), conditions=Conditions())
        for one in chips
    ]
    measured = reader.measure(used, split.images, split.labels, runs=runs, seed=seed)
    return measured, ReadSaid.of_json(reader.about())


def tuning_of_chips(
    reader: ExactReader, chips: Sequence[ProgrammedChip], *, verify: bool
) -> ReadTuning:
    """Return what corrections of chips are trained with, as they are read.

    Args:
        reader: of their backbone.
        chips: each with errors of its own.
        verify: whether corrections in cells are write-verified.

    Raises:
        ConfigError: a chip that does not say which of its weights are write-verified.
    """
    storage = chips[0].storage
    each = [reader.tuning([chip], _verified(chip), storage, verify=verify) for chip in chips]
    return replace(
        each[0],
        networks=[one.networks[0] for one in each],
        stored=[one.stored[0] for one in each],
    )


def _verified(chip: ProgrammedChip) -> Masks:
    """Return which weights of a chip are write-verified: its file says so of all or of none."""
    if chip.verified_weights == 0:
        return verify_none(chip.wanted)
    if chip.verified_weights == chip.weights:
        return verify_all(chip.wanted)
    raise ConfigError(
        f"chip {chip.seed}: {chip.verified_weights:,} of its {chip.weights:,} weights are "
        "write-verified, and its file does not say which, so that the errors of its cells are not "
        "known; allowed: chips of deploy --write none or all, or --read-path off",
        code=Code.UNSUPPORTED,
        field="read_path (--read-path)",
        value="exact",
        allowed="chips of deploy --write none or all",
    )
