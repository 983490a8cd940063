"""Errors of single cells of a programmed chip, which holds one number per weight.

A chip knows what each weight is worth as its cells hold it. A read that converts slices apart needs
every cell: the error of a weight is divided among its cells by the distribution that they have
given their sum, as for drift (:mod:`tsb.program.chip_read`), and the sum stays what it was.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archsim.device import WeightFormat
from archsim.errors import Code, ConfigError
from tsb.cells.quantize import full_scale, weight_range
from tsb.program.storage import WeightStorage
from tsb.program.tensor_cells import CellsOfTensor
from tsb.write_verify.selective import Masks

#: Tells the seed of the division among cells from that of the programming errors.
_CELLS = 0xCE115


def source_of_cells(seed: int) -> torch.Generator:
    """Return what divides the errors of a chip among its cells: the same for the same chip.

    Args:
        seed: of the chip.
    """
    return torch.Generator().manual_seed(seed ^ _CELLS)


def stored_codes(
    wanted: Mapping[str, Tensor], storage: WeightStorage
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the codes of weights, and the weight of one step of each: one number or per output.

    Args:
        wanted: weights that the cells were asked for, by name.
        storage: how they are put on cells.
    """
    largest = storage.cell.weight_format.largest_code
    codes, scales = {}, {}
    for name, weight in wanted.items():
        step = weight_range(weight, storage.scaling).double() / largest
        safe = torch.where(step > 0, step, torch.ones_like(step))
        codes[name] = torch.round(weight.double() / safe).long()
        scales[name] = step.flatten() if step.dim() else step
    return codes, scales


def cell_errors(
    stored: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    verified: Masks,
    storage: WeightStorage,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Return the errors of the cells of weights, in levels, ``*weights side digit``.

    Cells of a magnitude lie on the side of their weight's sign; those of the other side hold
    nothing and have no error.

    Args:
        stored: weights as the cells hold them, by name.
        wanted: what they were asked for; the same names.
        verified: masks of the write-verified ones.
        storage: how they are put on cells.
        generator: source of all randomness, on the CPU.

    Raises:
        ConfigError: cells with copies, whose outputs are averaged.
    """
    form, errors = storage.cell.weight_format, {}
    for name, target in storage.targets(wanted).items():
        if storage.copies.get(name, 1) > 1:
            raise ConfigError(
                f"copies of '{name}': the exact read path reads no averaged cells; allowed: 1, or "
                "read_path off",
                code=Code.UNSUPPORTED,
                field="copies",
                value=storage.copies[name],
                allowed="1",
            )
        cells = CellsOfTensor.of(target, verified[name], storage, 1)
        held = stored[name].double() / full_scale(wanted[name], storage.scaling) / cells.step
        levels = (form.level_count - 1) * cells.errors(held.flatten(), generator)
        shaped = levels.view(*target.shape, form.sides, form.slices)
        errors[name] = by_sign(shaped, cells.signs.view(target.shape), form)
    return errors


def by_sign(errors: Tensor, signs: Tensor, form: WeightFormat) -> Tensor:
    """Put the cells of magnitudes on the side of their sign; others stay.

    Args:
        errors: of cells, ``*weights side digit``.
        signs: of the weights.
        form: how they lie on cells.
    """
    if form.encoding != "magnitude":
        return errors
    negative = (signs < 0).unsqueeze(-1)
    only = errors[..., 0, :]
    zero = torch.zeros((), dtype=errors.dtype)
    return torch.stack([torch.where(negative, zero, only), torch.where(negative, only, zero)], -2)
