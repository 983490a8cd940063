"""The calibration: constants of the silicon model from a table of published macros.

Maximum a posteriori. A residual is ln(measured / predicted) of one operating point; it has a
Student distribution (4 degrees of freedom, scale 0.7), so that one odd chip does not move the
constants, and each macro counts once. Priors are those of ``configs/silicon/priors.yaml``. A
constant belongs to a technology or a circuit, never to a chip.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.analysis.silicon.rows import SiliconRow
from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.config.checked import validate_model
from archsim.config.load import load_preset
from archsim.config.schema.silicon import SiliconFile
from archsim.cost.silicon.price import MacroCost, price_macro

#: Of the residuals' Student distribution.
FREEDOM, SCALE = 4.0, 0.7


@dataclass(frozen=True)
class Compared:
    """What is compared: where it is measured, computed, and its spread."""

    name: str
    measured: Callable[[SiliconRow], float | None]
    computed: Callable[[MacroCost], Tensor]
    spread: Callable[[MacroCost], Tensor]


#: The three quantities of a macro, in the order that they are shown in.
QUANTITIES = (
    Compared(
        "energy",
        lambda row: row.energy_J,
        lambda cost: cost.energy.total_J,
        lambda cost: cost.spread.energy,
    ),
    Compared(
        "latency",
        lambda row: row.latency_s,
        lambda cost: cost.formula_latency_s,
        lambda cost: cost.spread.latency,
    ),
    Compared(
        "area",
        lambda row: row.area_m2,
        lambda cost: cost.area.total_m2,
        lambda cost: cost.spread.area,
    ),
)


@dataclass(frozen=True, eq=False)
class Prior:
    """Centre and width of each constant that is fitted.

    Attributes:
        constants: at the centre, with those that are not fitted.
        fields: names in :class:`~archsim.arch.silicon.SiliconConstants`.
        centre: in ln, or as it is where the constant is an exponent.
        sigma: standard deviation of the same.
        in_ln: which are in ln.
        block: of the file that each stands in.
    """

    constants: SiliconConstants
    fields: tuple[str, ...]
    centre: Tensor
    sigma: Tensor
    in_ln: Tensor
    block: tuple[str, ...]

    def at(self, values: Tensor) -> SiliconConstants:
        """Return constants with the fitted ones at ``values``.

        Args:
            values: ``constant``, in ln where :attr:`in_ln`.
        """
        actual = torch.where(self.in_ln, torch.exp(values), values)
        return self.constants.replace(**dict(zip(self.fields, actual, strict=True)))


def load_prior(name: str = "priors") -> Prior:
    """Return the priors of a preset of ``configs/silicon``.

    Args:
        name: preset or YAML path; constants with ``sigma`` are fitted.
    """
    file = validate_model(SiliconFile, load_preset("silicon", name), "silicon")
    constants = SiliconConstants.from_file(file)
    fields, centre, sigma, in_ln, blocks = [], [], [], [], []
    for entry in dataclasses.fields(SiliconConstants):
        block, _, key = str(entry.metadata["path"]).partition(".")
        width = getattr(getattr(file, block), key).sigma if key else None
        if width:
            value = getattr(constants, entry.name)
            is_ln = not key.endswith("exponent")
            fields.append(entry.name)
            centre.append(torch.log(value) if is_ln else value)
            sigma.append(width)
            in_ln.append(is_ln)
            blocks.append(block)
    return Prior(
        constants,
        tuple(fields),
        torch.stack(centre),
        torch.tensor(sigma, dtype=torch.float64),
        torch.tensor(in_ln),
        tuple(blocks),
    )


def posterior(rows: Sequence[SiliconRow], prior: Prior) -> Callable[[Tensor], Tensor]:
    """Return minus the logarithm of the posterior, of the values of the fitted constants.

    Args:
        rows: of macros; those that cannot be priced are passed over.
        prior: of the constants.
    """
    usable = [row for row in rows if row.design is not None]
    batch = MacroBatch.stack([row.design for row in usable if row.design is not None])
    data = [_Data.of(usable, quantity) for quantity in QUANTITIES]

    def loss(values: Tensor) -> Tensor:
        cost = price_macro(macro=batch, constants=prior.at(values))
        total = (((values - prior.centre) / prior.sigma) ** 2).sum() / 2
        for quantity, seen in zip(QUANTITIES, data, strict=True):
            residual = torch.log(quantity.computed(cost)[seen.index]) - seen.ln_measured
            student = torch.log1p(residual**2 / (FREEDOM * SCALE**2)) * (FREEDOM + 1) / 2
            total = total + (seen.weight * student).sum()
        return total

    return loss


def calibrate(rows: Sequence[SiliconRow], prior: Prior, start: Tensor | None = None) -> Tensor:
    """Return the most probable values of the fitted constants, ``constant``.

    Args:
        rows: of macros; those that cannot be priced are passed over.
        prior: of the constants.
        start: where to begin; None for the centre of the prior.
    """
    from scipy.optimize import minimize

    loss = posterior(rows, prior)

    def with_gradient(point: object) -> tuple[float, object]:
        values = torch.as_tensor(point, dtype=torch.float64).clone().requires_grad_()
        value = loss(values)
        (gradient,) = torch.autograd.grad(value, values)
        return float(value.detach()), gradient.numpy()

    begin = prior.centre if start is None else start
    found = minimize(with_gradient, begin.numpy(), jac=True, method="L-BFGS-B")
    return torch.as_tensor(found.x, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class _Data:
    """What is measured of one quantity: which rows, ln of it, and weights that sum to 1 a macro."""

    index: Tensor
    ln_measured: Tensor
    weight: Tensor

    @classmethod
    def of(cls, rows: Sequence[SiliconRow], quantity: Compared) -> _Data:
        known = [(i, value) for i, row in enumerate(rows) if (value := quantity.measured(row))]
        count = Counter(rows[i].macro for i, _ in known)
        return cls(
            torch.tensor([i for i, _ in known], dtype=torch.int64),
            torch.log(torch.tensor([value for _, value in known], dtype=torch.float64)),
            torch.tensor([1 / count[rows[i].macro] for i, _ in known], dtype=torch.float64),
        )


def leave_one_out(
    rows: Sequence[SiliconRow], prior: Prior, *, only: Sequence[str] | None = None
) -> dict[str, SiliconConstants]:
    """Return, for each macro, the constants that all others give.

    Args:
        rows: of macros.
        prior: of the constants.
        only: macros to do; None for all.
    """
    start = calibrate(rows, prior)
    names = dict.fromkeys(row.macro for row in rows if row.design is not None)
    return {
        name: prior.at(calibrate([row for row in rows if row.macro != name], prior, start))
        for name in names
        if only is None or name in only
    }
