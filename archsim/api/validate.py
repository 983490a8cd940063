"""The cost engine against reference runs, and the read path against reference data."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from archsim.analysis import reference
from archsim.errors import Code, DataError
from archsim.results.read_path import GROUPS, ReadPathValidation, ReferenceCase
from archsim.results.silicon import SiliconValidation
from archsim.results.validation import ValidationResult


def validate(folder: str | Path, *, chip: str = reference.REFERENCE_CHIP) -> ValidationResult:
    """Compare the engine with a folder of reference runs; see archsim.analysis.reference."""
    return reference.validate(folder, chip=chip)


def validate_silicon(
    table: str | Path, *, constants: str | None = None, left_out: bool = True
) -> SiliconValidation:
    """Compare the silicon model with a table of published macros.

    Args:
        table: CSV in the form of ``configs/silicon/macros.csv``.
        constants: preset of ``configs/silicon`` or YAML path; None for the shipped ones.
        left_out: also predict each macro that the shipped constants were fitted to by constants
            that it had no part in.

    Raises:
        DataError: a file that cannot be read, without rows or names.
        ConfigError: no such constants.
    """
    from archsim.analysis.silicon.compare import validate_table
    from archsim.arch.silicon import DEFAULT_CONSTANTS

    return validate_table(table, constants=constants or DEFAULT_CONSTANTS, left_out=left_out)


def refit_silicon(table: str | Path, out: Path) -> None:
    """Fit the constants of the silicon model to a table and write them as a preset.

    Args:
        table: of published macros.
        out: YAML file to write.

    Raises:
        DataError: a table that cannot be read, or a file that cannot be written.
    """
    from archsim.analysis.silicon.refit import refit

    refit(table, out)


def validate_read_path(
    folder: str | Path,
    *,
    data_root: str | Path | None = None,
    checkpoint: str | Path | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> ReadPathValidation:
    """Compare the read path with reference data.

    Args:
        folder: with some of the files of :data:`archsim.results.read_path.GROUPS`.
        data_root: MNIST, for the accuracies; perhaps the weights of LeNet-3 too.
        checkpoint: weights of LeNet-3; None looks below ``data_root`` and in the repository.
        said: told of every accuracy.

    Raises:
        DataError: none of the files, or files that cannot be read; no images or weights for the
            accuracies.
    """
    place = Path(folder)
    there = [group for group, name in GROUPS.items() if (place / name).is_file()]
    if not there:
        raise DataError.of(
            Code.MISSING_FILE, place, problem=f"none of {', '.join(GROUPS.values())} is there"
        )
    from safetensors import SafetensorError

    cases: list[ReferenceCase] = []
    for group in there:
        try:
            cases += _compare(group, place, data_root, checkpoint, said)
        except (
            KeyError,
            ValueError,
            IndexError,
            RuntimeError,
            csv.Error,
            SafetensorError,
        ) as error:
            raise DataError.of(
                Code.WRONG_FILE, place / GROUPS[group], problem=f"cannot be read: {error!r}"
            ) from error
    return ReadPathValidation(str(folder), tuple(cases))


def _compare(
    group: str,
    folder: Path,
    data_root: str | Path | None,
    checkpoint: str | Path | None,
    said: Callable[[str], None],
) -> Iterator[ReferenceCase]:
    from archsim.analysis.read_path import accuracies, products

    compare = {
        "mvm": products.compare_products,
        "neurosim14": products.compare_neurosim14,
        "irdrop": products.compare_driven,
        "irdrop_gated": products.compare_gated,
    }.get(group)
    if compare is not None:
        return compare(folder)
    lenet = accuracies.LeNet.load(
        None if data_root is None else Path(data_root),
        None if checkpoint is None else Path(checkpoint),
    )
    return accuracies.compare_accuracies(group, folder, lenet, said)
