"""A chip and what repairs it: tensors of the network for every time the repair is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from archsim.errors import Code, DataError, NetworkError
from tsb.checkpoint import check_finite, read_tensors, tensors_hash, write_tensors
from tsb.correction.base import Carrier, Correction, Tensors, device_of
from tsb.correction.on_read import OnRead, readable_acts
from tsb.correction.registry import applicable
from tsb.monte_carlo.evaluate import Draw
from tsb.program.chip import ProgrammedChip
from tsb.program.storage import WeightStorage
from tsb.write_verify.selective import Masks, verify_all, verify_none

_KIND = "correction"
#: Parameters of all corrections by ``index.name``.
Parameters = dict[str, Tensor]
#: Lets a network compute what a chip reads: tensors with its biases, corrections so far.
Reading = Callable[[Tensors, Sequence[OnRead]], AbstractContextManager[None]]


def attach_all(corrections: Sequence[Correction], carrier: Carrier) -> None:
    """Attach corrections to a carrier, in order.

    Args:
        corrections: not yet attached.
        carrier: not yet used for others.

    Raises:
        ConfigError: an option that the network does not allow.
        NetworkError: the network has nothing that a correction could act on; says which corrections
            have.
    """
    for correction in corrections:
        try:
            correction.attach(carrier)
        except NetworkError as error:
            others = ", ".join(applicable(carrier))
            said = f"{error}. Corrections for such a network: {others}"
            raise NetworkError.retold(error, said) from error


def own_parameters(parameters: Tensors, index: int) -> dict[str, Tensor]:
    """Return the parameters of one correction.

    Args:
        parameters: of all, by ``index.name``.
        index: which.
    """
    prefix = f"{index}."
    return {n.removeprefix(prefix): p for n, p in parameters.items() if n.startswith(prefix)}


def start_all(
    corrections: Sequence[Correction],
    carrier: Carrier,
    chip: ProgrammedChip,
    images: Tensor,
    *,
    reading: Reading | None = None,
) -> Parameters:
    """Return the first parameters of all corrections on one chip.

    Args:
        corrections: attached to the carrier.
        carrier: the network.
        chip: what is corrected.
        images: for calibration, without labels.
        reading: lets the network compute what the chip reads; None: what its cells hold.
    """
    tensors: Tensors = chip.tensors
    parameters: Parameters = {}
    for index, correction in enumerate(corrections):
        here = carrier
        if reading is not None:
            here = replace(carrier, reading=_after(reading, corrections[:index], parameters))
        first = correction.start(here, tensors, chip.wanted, images)
        parameters |= {f"{index}.{name}": tensor for name, tensor in first.items()}
        tensors = correction.apply(tensors, first)
    return parameters


def _after(
    reading: Reading, corrections: Sequence[Correction], parameters: Tensors
) -> Callable[[Tensors, OnRead | None], AbstractContextManager[None]]:
    """Return what lets a network compute what a chip reads, behind some corrections."""
    before = readable_acts(corrections, lambda index: own_parameters(parameters, index))

    def entered(tensors: Tensors, act: OnRead | None) -> AbstractContextManager[None]:
        return reading(tensors, [*before, *([] if act is None else [act])])

    return entered


def apply_all(
    corrections: Sequence[Correction], tensors: Tensors, parameters: Tensors
) -> dict[str, Tensor]:
    """Return the corrected tensors of the network.

    Args:
        corrections: in order.
        tensors: of the chip.
        parameters: by ``index.name``, as programmed.
    """
    corrected = dict(tensors)
    for index, correction in enumerate(corrections):
        corrected = correction.apply(corrected, own_parameters(parameters, index))
    return corrected


def in_cells(corrections: Sequence[Correction], parameters: Tensors) -> list[str]:
    """Return the names of the parameters that are programmed onto crossbars.

    Args:
        corrections: in order.
        parameters: by ``index.name``.
    """
    return [name for name in parameters if corrections[int(name.partition(".")[0])].in_cells]


@dataclass(frozen=True, eq=False, kw_only=True)
class CorrectedChip:
    """A chip with trained corrections.

    Attributes:
        chip: the backbone, frozen.
        corrections: attached to ``carrier``, in order.
        parameters: by ``index.name``.
        carrier: the network.
        storage: how parameters in cells are written.
        verify: whether they are write-verified.
    """

    chip: ProgrammedChip
    corrections: tuple[Correction, ...]
    parameters: Parameters
    carrier: Carrier
    storage: WeightStorage
    verify: bool

    @property
    def written(self) -> dict[str, Tensor]:
        """Parameters that are written onto crossbars, on the CPU."""
        names = in_cells(self.corrections, self.parameters)
        return {name: self.parameters[name].cpu() for name in names}

    @property
    def written_weights(self) -> int:
        """Weights written onto crossbars after the backbone, each place counted once."""
        return sum(tensor.numel() for tensor in self.written.values())

    @property
    def digital_parameters(self) -> int:
        """Numbers in digital memory that are particular to this chip."""
        everything = sum(tensor.numel() for tensor in self.parameters.values())
        return everything - self.written_weights

    def draw(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Write the parameters in cells once and return the tensors of the network.

        Writing is computed on the CPU, as programming is; the tensors are where the chip's are.

        Args:
            generator: source of the new errors, on the CPU; the backbone's stay.
        """
        return self.repaired(self.chip.tensors, self.write(generator))

    @property
    def masks(self) -> Masks:
        """Which of the parameters in cells are write-verified."""
        return (verify_all if self.verify else verify_none)(self.written)

    def write(self, generator: torch.Generator) -> Parameters:
        """Write the parameters in cells once and return them as the cells hold them, on the CPU.

        Args:
            generator: source of the errors, on the CPU.
        """
        written = self.written
        return self.storage.write(written, self.masks, generator) if written else {}

    def repaired(self, tensors: Tensors, written: Tensors) -> dict[str, Tensor]:
        """Return the tensors of the network, where the chip's are.

        Args:
            tensors: of the backbone, anywhere.
            written: the parameters in cells, by ``index.name``, anywhere.
        """
        device = device_of(self.chip.tensors)
        parameters = {n: t.to(device) for n, t in {**self.parameters, **written}.items()}
        here = {name: tensor.to(device) for name, tensor in tensors.items()}
        corrected = apply_all(self.corrections, here, parameters)
        return {name: t.detach() for name, t in corrected.items() if t.is_floating_point()}

    def runs(self) -> Draw:
        """Return what draws one run: see :func:`tsb.monte_carlo.monte_carlo`."""
        return self.draw

    def save(self, path: Path | str, *, method: str) -> None:
        """Write the trained parameters, completely or not at all.

        Args:
            path: ends in ``.safetensors``.
            method: text from which :func:`tsb.correction.parse_corrections` makes the corrections.

        Raises:
            DataError: it cannot be written.
        """
        about = {
            "kind": _KIND,
            "method": method,
            "verify": self.verify,
            "chip": tensors_hash(self.chip.tensors),
        }
        write_tensors(Path(path), self.parameters, about)


def saved_method(path: Path | str) -> tuple[str, bool]:
    """Return the method of a file of trained parameters, and whether it is write-verified.

    Args:
        path: file from :meth:`CorrectedChip.save`.

    Raises:
        DataError: missing, damaged, or something else.
    """
    _, about = read_tensors(Path(path))
    if about.get("kind") != _KIND:
        raise _no_correction(path)
    return str(about.get("method", "")), bool(about.get("verify"))


def load_parameters(path: Path | str, chip: ProgrammedChip, method: str) -> Parameters:
    """Read trained parameters.

    Args:
        path: file from :meth:`CorrectedChip.save`.
        chip: that they were trained for.
        method: that they belong to.

    Raises:
        DataError: missing, damaged, for another chip or of another method.
    """
    tensors, about = read_tensors(Path(path))
    if about.get("kind") != _KIND:
        raise _no_correction(path)
    check_finite(tensors, str(path))
    if about.get("chip") != tensors_hash(chip.tensors):
        raise DataError.of(Code.WRONG_FILE, path, problem="trained for another chip")
    if about.get("method") != method:
        raise DataError(
            f"{path}: parameters of the method {json.dumps(about.get('method'))}, not of "
            f"{json.dumps(method)}",
            code=Code.WRONG_FILE,
            field=path,
            value=about.get("method"),
            allowed=method,
        )
    return tensors


def _no_correction(path: Path | str) -> DataError:
    said = "not the file of a correction; archsim tune writes one"
    return DataError.of(Code.WRONG_FILE, path, problem=said)
