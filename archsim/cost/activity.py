"""How often input bits and weight digits are on: the statistics behind the read energy.

Weights are Gaussian in (-1, 1), full scale the code above the largest, and lie on cells as their
encoding says (:class:`archsim.device.WeightFormat`), idle cells of the other sign at level 0;
inputs are bit-serial, most significant bit first. Inputs that are never negative use all planes as
magnitude; what those of either sign have instead is ``chip.read.signed_inputs``. Probabilities
follow in closed form from the normal distribution, so no trace has to be simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.config.encodings import STORED_ENCODINGS, WeightEncoding
from archsim.cost.reads import reads_as
from archsim.device import WeightFormat
from archsim.shapes import broadcast_shapes

#: Codes of the ``activity`` choices in :class:`archsim.arch.design.DesignBatch`.
_UNIFORM, _RELU, _DENSE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    """Distribution of cell levels over all digits of the weights.

    ``level`` is the mean conductance of a level as a share of the range, at equal steps or as
    measured, and ``probability`` how often a cell
    holds it, both ``*batch level``. Digits of a Gaussian weight around mid-scale all have the same
    mean, and the read energy is nearly linear in the rest, so their mixture stands for them.
    """

    level: Tensor
    probability: Tensor


def _normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(x / math.sqrt(2.0)))


def _code_probability(std: Tensor, codes: Tensor, lowest: int, highest: int) -> Tensor:
    """P(round(N(0, std)) = code), tails clipped to the ends; ``... code``."""
    scaled = std.unsqueeze(-1)
    upper = torch.where(codes == highest, 1.0, _normal_cdf((codes + 0.5) / scaled))
    lower = torch.where(codes == lowest, 0.0, _normal_cdf((codes - 0.5) / scaled))
    return upper - lower


def level_statistics(*, design: DesignBatch) -> LevelStatistics:
    """Return the level distribution of cells for every design.

    Args:
        design: ``*batch``; combinations of weight bits, cell bits and encoding are evaluated once.
    """
    bits, cell, encoding = torch.broadcast_tensors(
        design.weight_bits, design.cell_bits, design.encoding.to(torch.float64)
    )
    std = design.weight_std
    most = int(2 ** float(cell.max()))
    probability = torch.zeros(
        (*broadcast_shapes(bits.shape, std.shape), most),
        dtype=torch.float64,
        device=bits.device,
    )
    level = torch.zeros((*bits.shape, most), dtype=torch.float64, device=bits.device)
    # One number per combination: bits are below 100, so decimal places keep them apart.
    keys = bits * 1e4 + cell * 1e2 + encoding
    for key in keys.unique().tolist():
        here = keys == key
        weight_bits, cell_bits, code = key // 1e4, key % 1e4 // 1e2, key % 1e2
        encoding = STORED_ENCODINGS[int(code)]
        table = _level_table(int(weight_bits), int(cell_bits), encoding, std)
        width = table.shape[-1]
        padded = torch.nn.functional.pad(table, (0, most - width))
        share = torch.arange(most, dtype=torch.float64, device=bits.device) / (width - 1)
        share = share.clamp_max(1.0)
        if design.cell_levels is not None:
            means = torch.tensor(design.cell_levels.of_cells(int(cell_bits)).means).to(share)
            share = torch.nn.functional.pad(means, (0, most - width), value=1.0)
        probability = torch.where(here[..., None], padded, probability)
        level = torch.where(here[..., None], share, level)
    return LevelStatistics(level, probability)


def _level_table(weight_bits: int, cell_bits: int, encoding: WeightEncoding, std: Tensor) -> Tensor:
    """Level probabilities averaged over the digits of all sides, ``... level``."""
    levels = 2**cell_bits
    if encoding.sign_bit and weight_bits == 1:  # one code is left, that of zero
        one = torch.nn.functional.one_hot(torch.tensor(1, device=std.device), levels)
        return one.to(torch.float64).expand(*std.shape, levels)
    form = WeightFormat(weight_bits=weight_bits, bits_per_cell=cell_bits, encoding=encoding.name)
    largest = form.largest_code
    codes = torch.arange(-largest, largest + 1, device=std.device)
    probability = _code_probability(std * (largest + 1), codes.double(), -largest, largest)
    rows = []
    for held in form.encode(codes).flatten(1).unbind(1):
        one_hot = torch.nn.functional.one_hot(held, levels).to(torch.float64)
        rows.append(probability @ one_hot)
    return torch.stack(rows).mean(0)


def plane_probability(
    *, design: DesignBatch, is_first: Tensor, is_signed: Tensor, padding_share: Tensor
) -> Tensor:
    """Return P(input bit = 1) per bit-plane, ``*batch layer plane``, most significant first.

    The plane axis is as long as the most input bits of the batch; planes beyond a design's own
    bits have probability 0. Where both signs are read one after the other, it is that of a pass:
    the two are alike.

    Args:
        design: ``*batch``.
        is_first: 1 for layers that read the network input, ``*batch layer``.
        is_signed: true for layers whose inputs need a sign, ``*batch layer``.
        padding_share: share of taps that read padding, ``*batch layer``.
    """
    bits, first, hidden = design.input_bits, design.first_input, design.hidden_input
    most = int(float(bits.max()))
    formats = _formats(design, most)
    planes = torch.arange(most, dtype=torch.float64, device=bits.device)
    inside = planes < bits.unsqueeze(-1)
    idle = design.idle_sign_plane.unsqueeze(-1) & (planes == 0)

    def choose(code: Tensor, signed: bool, first: bool) -> Tensor:
        code = code.unsqueeze(-1)
        flat = 1.0 - 0.5 * (code == _UNIFORM).to(torch.float64)
        if signed:
            # A value has one sign: what is on in one pass is off in the other.
            twice = reads_as(design, "two-pass", is_first=first).unsqueeze(-1)
            flat = flat * (1.0 - 0.5 * twice.to(torch.float64))
        flat = torch.where(inside & ~idle, flat, 0.0)
        gaussian = formats.signed[first] if signed else formats.magnitude
        return torch.where(code == _RELU, gaussian, flat)

    first_layer = (is_first > 0).unsqueeze(-1)

    def of_layers(signed: bool) -> Tensor:
        # Hidden layers are never uniform.
        at_first, elsewhere = choose(first, signed, True), choose(hidden + 1, signed, False)
        return torch.where(first_layer, at_first.unsqueeze(-2), elsewhere.unsqueeze(-2))

    signed = is_signed.unsqueeze(-1)
    if bool(is_signed.any()):
        probability = torch.where(signed, of_layers(True), of_layers(False))
    else:
        probability = of_layers(False)
    is_dense = torch.where(
        is_first > 0, (first == _DENSE).unsqueeze(-1), (hidden + 1 == _DENSE).unsqueeze(-1)
    )
    padded = torch.where(is_dense, 0.0, padding_share).unsqueeze(-1)
    at_first, elsewhere = (formats.zero[place].unsqueeze(-2) for place in (True, False))
    of_zero = torch.where(signed, torch.where(first_layer, at_first, elsewhere), 0.0)
    return probability * (1 - padded) + of_zero * padded


@dataclass(frozen=True, eq=False)
class _Formats:
    """P(bit = 1) of Gaussian inputs and of zero, ``*batch plane``.

    ``magnitude`` is of inputs that are rectified, ``signed`` of those that are not, in the format
    that a design has for them, of hidden layers (False) and of those that read the network's own
    (True); ``zero`` of a zero there.
    """

    magnitude: Tensor
    signed: dict[bool, Tensor]
    zero: dict[bool, Tensor]


def _formats(design: DesignBatch, most: int) -> _Formats:
    """Bit probabilities of all formats of a batch; each number of bits is worked out once."""
    bits, std = design.input_bits, design.input_std
    idle = design.idle_sign_plane
    shape = broadcast_shapes(bits.shape, std.shape)
    none = torch.zeros((*shape, most), dtype=torch.float64, device=bits.device)
    magnitude, after_sign, offset, complement = none, none, none, none
    for count in bits.unique().tolist():
        own = (bits == count).unsqueeze(-1)

        def put(tables: Tensor, planes: list[Tensor], own: Tensor = own) -> Tensor:
            table = torch.stack(planes, -1)
            padded = torch.nn.functional.pad(table, (0, most - table.shape[-1]))
            return torch.where(own, padded, tables)

        width = int(count)
        magnitude = put(magnitude, _rectified(width, std))
        if bool(idle.any()):
            after_sign = put(after_sign, [torch.zeros_like(std), *_rectified(width - 1, std)])
        if not bool(idle.all()):
            offset = put(offset, _both_signs(width, std, complement=False))
            complement = put(complement, _both_signs(width, std, complement=True))
    top = (torch.arange(most, device=bits.device) == 0).to(torch.float64)
    signed, zero = {}, {}
    for first in (False, True):
        zero_point = reads_as(design, "zero-point", is_first=first).unsqueeze(-1)
        sign_plane = reads_as(design, "sign-plane", is_first=first).unsqueeze(-1)
        other = torch.where(sign_plane, complement, magnitude)
        signed[first] = torch.where(zero_point, offset, other)
        zero[first] = torch.where(zero_point, top, 0.0)
    return _Formats(
        magnitude=torch.where(idle.unsqueeze(-1), after_sign, magnitude), signed=signed, zero=zero
    )


def _rectified(width: int, std: Tensor) -> list[Tensor]:
    """Bit probabilities of max(0, N(0, std)) rounded to ``width`` bits, full scale 1."""
    if width < 1:
        return []
    half = 2**width
    codes = torch.arange(0, half, dtype=torch.float64, device=std.device)
    probability = _code_probability(std * half, codes, 0, half - 1)
    return [probability @ _bit(codes.long(), width - 1 - plane) for plane in range(width)]


def _both_signs(width: int, std: Tensor, *, complement: bool) -> list[Tensor]:
    """Bit probabilities of N(0, std) in ``width`` bits, full scale -1 to 1.

    Args:
        width: bits.
        std: ``*batch``.
        complement: two's complement; else the code of zero is half of the range.
    """
    half = 2 ** (width - 1)
    codes = torch.arange(-half, half, dtype=torch.float64, device=std.device)
    probability = _code_probability(std * half, codes, -half, half - 1)
    stored = codes.long() + (0 if complement else half)
    return [probability @ _bit(stored, width - 1 - plane) for plane in range(width)]


def _bit(codes: Tensor, place: int) -> Tensor:
    """Bit ``place`` of whole numbers, two's complement where they are negative, as float64."""
    return ((codes >> place) & 1).to(torch.float64)
