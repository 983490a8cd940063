"""Combinations of settings that no configuration may have, for whole boxes of designs at once.

Each rule says the same as a check of one configuration (archsim/config/schema/chip.py and
resolve.py, archsim/arch/design.py). A property test ties them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from archsim.arch.design import ADC_MODELS, POLICIES, SIGMA_PROFILES, DesignBatch
from archsim.config.load import load_preset
from archsim.config.resolve import Resolved, validate_model
from archsim.config.schema.adc import IsaacAdc

_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Limits:
    """What a configuration says about what is allowed, and :class:`DesignBatch` does not hold."""

    max_bits_per_cell: Tensor
    pad_top_slice: Tensor
    can_verify: Tensor

    @staticmethod
    def paths() -> dict[str, str]:
        """Return the field of each setting that is a limit by itself."""
        return {
            "device.max_bits_per_cell": "max_bits_per_cell",
            "chip.precision.pad_top_slice": "pad_top_slice",
        }

    @classmethod
    def of(cls, resolved: Resolved) -> Limits:
        """Read the limits of one configuration, shape ``()``.

        Args:
            resolved: which.
        """
        return cls(
            max_bits_per_cell=torch.tensor(resolved.device.max_bits_per_cell.si),
            pad_top_slice=torch.tensor(resolved.chip.precision.pad_top_slice),
            can_verify=torch.tensor(resolved.device.write_verify is not None),
        )


@lru_cache(maxsize=1)
def _isaac_bits() -> float:
    return float(validate_model(IsaacAdc, load_preset("adc", "isaac"), "adc").bits.si)


def _bits_divide(design: DesignBatch, limits: Limits) -> Tensor:
    rest = torch.remainder(design.weight_bits, design.bits_per_cell)
    return (rest != 0) & ~limits.pad_top_slice


def _columns_divide(design: DesignBatch, limits: Limits) -> Tensor:
    del limits
    return torch.remainder(design.cols, design.mux_ratio) != 0


def _weight_fits(design: DesignBatch, limits: Limits) -> Tensor:
    del limits
    slices = torch.ceil(design.weight_bits / design.bits_per_cell)
    return design.cols < slices * torch.where(design.is_differential, 2.0, 1.0)


def _cell_holds(design: DesignBatch, limits: Limits) -> Tensor:
    return design.bits_per_cell > limits.max_bits_per_cell


def _one_isaac(design: DesignBatch, limits: Limits) -> Tensor:
    del limits
    is_isaac = design.adc_model == ADC_MODELS.index("isaac")
    return is_isaac & (design.adc_bits != _isaac_bits())


def _ordered(design: DesignBatch, limits: Limits) -> Tensor:
    del limits
    return (design.r_on_ohm >= design.r_off_ohm) & ~design.is_sram


def _spread_fits(design: DesignBatch, limits: Limits) -> Tensor:
    del limits
    return design.sigma * design.range_factor > 1


def _stuck_shares(design: DesignBatch, limits: Limits) -> Tensor:
    del limits
    return design.stuck_on_rate + design.stuck_off_rate > 1


def _profile_has_factor(design: DesignBatch, limits: Limits) -> Tensor:
    del limits
    uniform = design.sigma_profile == SIGMA_PROFILES.index("uniform")
    return uniform & (design.sigma_factor != 1)


def _row_has_power(design: DesignBatch, limits: Limits) -> Tensor:
    del limits
    return design.write_power_W < design.row_write_W * (1 - _TINY)


#: What is wrong, and where.
RULES: dict[str, Callable[[DesignBatch, Limits], Tensor]] = {
    "chip.precision.bits_per_cell does not divide chip.precision.weight_bits": _bits_divide,
    "chip.crossbar.cols is no multiple of chip.crossbar.mux_ratio": _columns_divide,
    "chip.crossbar.cols cannot hold one weight": _weight_fits,
    "the device holds fewer bits than chip.precision.bits_per_cell": _cell_holds,
    "chip.adc.bits is not that of chip.adc.model = isaac": _one_isaac,
    "device.r_on is not below device.r_off": _ordered,
    "device.sigma is beyond the range of conductance": _spread_fits,
    "device.stuck_on_rate and stuck_off_rate are above 1 together": _stuck_shares,
    "device.sigma_profile.factor does nothing with a uniform profile": _profile_has_factor,
    "chip.programming.max_power is below that of one row": _row_has_power,
}


def last_layers_missing(design: DesignBatch, layers: int) -> Tensor:
    """Return where more last layers are to be verified or rewritten than the network has.

    Args:
        design: ``*batch``.
        layers: with weights.
    """
    asked = design.write_policy == POLICIES.index("last-layers")
    return (asked & (design.last_layers > layers)) | (design.rewritten_layers > layers)


#: Name of the rule of :func:`last_layers_missing`.
LAST_LAYERS = "chip.programming.last_layers or rewritten_layers is more than the network has"


def broken(design: DesignBatch, limits: Limits, layers: int) -> dict[str, Tensor]:
    """Return, by rule, where a batch breaks it; rules that nothing breaks are left out.

    Args:
        design: ``*batch``.
        limits: of the same batch.
        layers: of the network, with weights.
    """
    found = {name: rule(design, limits) for name, rule in RULES.items()}
    found[LAST_LAYERS] = last_layers_missing(design, layers)
    return {name: mask for name, mask in found.items() if bool(mask.any())}
