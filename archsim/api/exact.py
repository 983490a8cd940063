"""What an exact read of a network needs: settings of its chip, rows as mapped, training images."""

from __future__ import annotations

from archsim.analysis.row_groups import mapped_row_groups
from archsim.config.resolve import Resolved
from archsim.device import CellSpec
from archsim.device.read_noise import REFERENCE_S
from archsim.errors import Code, ConfigError, NetworkError
from tsb.cells.programmable import Programmable
from tsb.cells.stored import layer_names
from tsb.data import Dataset
from tsb.program.accuracy import Evidence
from tsb.program.read_accuracy import ExactRead
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import ReadSettings
from tsb.study.read_path import INPUT_IMAGES, RANGE_IMAGES


def groups_of(found: Programmable, resolved: Resolved, network: str) -> dict[str, RowGroups]:
    """Return the rows that a chip reads together, by name of the weight.

    Args:
        found: the network with its matrices.
        resolved: the chip.
        network: its name.

    Raises:
        NetworkError: a network that is not mapped.
    """
    if found.graph is None:
        raise NetworkError(
            f"network '{network}' is not mapped, so that its rows are not known: {found.untraced}",
            code=Code.UNSUPPORTED,
            field="network",
            value=network,
            allowed="networks that archsim map takes",
        )
    mapped, layers = mapped_row_groups(found.graph, resolved), layer_names(found.model) or {}
    return {name: mapped[layer] for name, layer in layers.items() if layer in mapped}


def exact_read(
    found: Programmable,
    resolved: Resolved,
    spec: CellSpec,
    dataset: Dataset,
    network: str,
    time_s: float = REFERENCE_S,
) -> ExactRead:
    """Return what an exact read needs.

    Args:
        found: the network with its matrices.
        resolved: the chip.
        spec: its cells.
        dataset: whose training images input codes and ranges are taken from.
        network: its name.
        time_s: from programming to the reads, s, for noise that grows with it.

    Raises:
        ConfigError: settings that cannot be read.
        NetworkError: a network that is not mapped.
    """
    training = dataset.train.spread(INPUT_IMAGES).images
    return ExactRead(
        settings=ReadSettings.of_chip(resolved, spec.weight_format, noisy=True, time_s=time_s),
        groups=groups_of(found, resolved, network),
        inputs=training,
        ranges=training[:RANGE_IMAGES],
    )


def exact_of_evidence(
    found: Programmable,
    resolved: Resolved,
    spec: CellSpec,
    evidence: Evidence | None,
    network: str,
    time_s: float = REFERENCE_S,
) -> ExactRead:
    """Return what an exact read of the chips of an accuracy needs.

    Args:
        found: the network with its matrices.
        resolved: the chip.
        spec: its cells.
        evidence: data and chips; None where no accuracy is measured.
        network: its name.
        time_s: from programming to the reads, s.

    Raises:
        ConfigError: no accuracy is measured, or settings that cannot be read.
        NetworkError: a network that is not mapped.
    """
    if evidence is None or not evidence.chips:
        raise ConfigError(
            "read_path (--read-path) = 'exact': no accuracy is measured; allowed: off, or with "
            "--checkpoint and --data-root (or --data), no shared block, and --chips above 0",
            code=Code.CONFLICT,
            field="read_path (--read-path)",
            value="exact",
            allowed="off, or --checkpoint with data",
        )
    return exact_read(found, resolved, spec, evidence.dataset, network, time_s)
