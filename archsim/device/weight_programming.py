"""Program the weights of a network onto a chip, and read them back.

A *chip* is a seed: the device-to-device errors and the stuck cells of a tensor follow from the seed
and the tensor's name alone, so that programming the same chip again meets the same cells, and only
what changes from cycle to cycle is drawn from ``generator``. Tensors are taken one by one
(:mod:`archsim.device.tensor_programming`): one call for n tensors draws the same numbers as n calls
on one generator and one chip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.config.schema.device import DeviceFile
from archsim.device.tensor_programming import ProgrammedTensor, program_tensor
from archsim.device.weight_format import WeightFormat
from archsim.device.write_array import WriteArray, schedule_s
from archsim.device.write_tally import WriteTally
from archsim.errors import Code, ConfigError, DataError, close_matches

#: Which cells are verified: all, none, or masks by name, a flag per weight or per cell.
Verify = bool | Mapping[str, Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class ProgrammedWeights:
    """A network on a chip.

    Attributes:
        tensors: by name.
        tally: of all tensors.
        energy_J: of all tensors, J.
        subarrays: written crossbars; 0 without an array.
        time_s: from the first to the last pulse, s; None without an array.
        chip_seed: give it again to program the same chip again.
    """

    tensors: dict[str, ProgrammedTensor]
    tally: WriteTally
    energy_J: float
    subarrays: int
    time_s: float | None
    chip_seed: int

    @property
    def weights(self) -> dict[str, Tensor]:
        """Weights as read back, by name: what ``load_state_dict`` takes."""
        return {name: tensor.weights for name, tensor in self.tensors.items()}


def program_weights(
    weights: Mapping[str, Tensor],
    *,
    device: DeviceFile,
    generator: torch.Generator,
    weight_format: WeightFormat | None = None,
    verify: Verify = False,
    array: WriteArray | None = None,
    chip_seed: int | None = None,
    clip_at_zero: bool = False,
    keep_cells: bool = False,
) -> ProgrammedWeights:
    """Program tensors onto one chip, one after the other.

    Args:
        weights: tensors by name, outputs first; each has its own scale.
        device: a file of ``configs/device``, for example ``resolve(device="rram").device``.
        generator: source of all randomness, on the device of the weights.
        weight_format: bits and encoding; by default 8 bits as magnitudes on 2-bit cells.
        verify: all cells, none, or masks by name: of a weight tensor's shape, or with a last axis
            of cells per weight. A tensor without a mask is not verified.
        array: crossbars to write to; None leaves the time out.
        chip_seed: the chip; None draws a new one from ``generator``.
        clip_at_zero: no cell below zero conductance.
        keep_cells: return pulses and error of every cell.

    Raises:
        ConfigError: a mask of another name, shape or type, a device without write-verify to be
            verified, or more bits per cell than it holds.
        DataError: no weights, or weights that are not finite real numbers.
    """
    if not weights:
        raise DataError(
            "no weights to program; allowed: at least one tensor by name",
            code=Code.EMPTY,
            field="weights",
            allowed="at least one tensor by name",
        )
    if isinstance(verify, Mapping):
        for name in verify:
            if name not in weights:
                raise ConfigError(
                    f"verify has a mask for '{name}', which is not among the weights."
                    + close_matches(name, weights),
                    code=Code.UNKNOWN_NAME,
                    field="verify",
                    value=name,
                    allowed=tuple(weights),
                )
    if chip_seed is None:
        drawn = torch.randint(1 << 62, (), generator=generator, device=generator.device)
        chip_seed = int(drawn)
    tensors = {
        name: program_tensor(
            weight,
            name=name,
            device=device,
            generator=generator,
            weight_format=weight_format,
            verify=verify.get(name, False) if isinstance(verify, Mapping) else verify,
            array=array,
            chip_seed=chip_seed,
            clip_at_zero=clip_at_zero,
            keep_cells=keep_cells,
        )
        for name, weight in weights.items()
    }
    tallies = [tensor.tally for tensor in tensors.values()]
    times = [t.crossbar_times_s for t in tensors.values() if t.crossbar_times_s is not None]
    time_s = None
    if array is not None:
        time_s = schedule_s(torch.cat(times), parallel=array.parallel_subarrays)
    return ProgrammedWeights(
        tensors=tensors,
        tally=sum(tallies[1:], start=tallies[0]),
        energy_J=sum(tensor.energy_J for tensor in tensors.values()),
        subarrays=sum(len(crossbars) for crossbars in times),
        time_s=time_s,
        chip_seed=chip_seed,
    )
