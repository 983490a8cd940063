"""``module:function``: a metric of the user, or of torchmetrics' functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from archsim.errors import Code, ConfigError
from archsim.network.user_functions import user_function
from archsim.results.task_metric import Better, MetricFacts
from tsb.metric.base import ANY, Parts, TaskMetric

EXAMPLE = "torchmetrics.functional.image:peak_signal_noise_ratio"


class OwnMetric(TaskMetric):
    """The mean over items of what a function gives for each.

    The function takes outputs and targets of a batch. It returns a number for each item, or one
    number; then it is called for every item alone.
    """

    name = "MODULE:FUNCTION"
    description = "mean over items of function(outputs, targets), whose higher_is_better is said"
    direction: ClassVar[Better] = "higher"
    unit = ""
    low, high = None, None
    targets = ANY
    source = "the user"

    def __init__(self, spec: str, direction: str | None) -> None:
        """Import the function.

        Args:
            spec: ``module:function``.
            direction: which end is better; None takes the function's ``higher_is_better``.

        Raises:
            ConfigError: it cannot be imported, or nothing says which end is better.
        """
        self.spec = spec
        self.function: Callable[..., object] = user_function(spec, kind="metric", error=ConfigError)
        said = getattr(self.function, "higher_is_better", None)
        if direction is None and not isinstance(said, bool):
            raise ConfigError.of(
                Code.MISSING_KEY,
                "--metric-direction",
                problem=f"nothing says which end of '{spec}' is better",
                allowed="higher or lower, or an attribute higher_is_better of the function",
            )
        by_function: Better = "higher" if said else "lower"
        self.better: Better = {"higher": "higher", "lower": "lower"}.get(  # type: ignore[assignment]
            direction or "", by_function
        )

    @property
    def facts(self) -> MetricFacts:
        """See :attr:`TaskMetric.facts`; the unit is the function's attribute ``unit``."""
        unit = getattr(self.function, "unit", "")
        return MetricFacts(
            name=self.spec.rpartition(":")[2],
            direction=self.better,
            unit=unit if isinstance(unit, str) else "",
        )

    def parts(self, outputs: Tensor, targets: Tensor) -> Parts:
        """See :meth:`TaskMetric.parts`.

        Raises:
            ConfigError: the function raises, or returns something else.
        """
        values = self._called(outputs, targets)
        if values.dim() == 0 and len(outputs) > 1:
            pairs = zip(outputs.split(1), targets.split(1), strict=True)
            values = torch.stack([self._called(*pair).reshape(()) for pair in pairs])
        values = values.reshape(-1).double()
        if len(values) != len(outputs):
            raise ConfigError.of(
                Code.SHAPE_MISMATCH,
                "metric (--metric)",
                self.spec,
                problem=f"returned {len(values)} numbers for {len(outputs)} items",
                allowed="a number per item, or one number",
            )
        return torch.stack([values, torch.ones_like(values)], 1)

    def _called(self, outputs: Tensor, targets: Tensor) -> Tensor:
        try:
            return torch.as_tensor(self.function(outputs, targets)).detach()
        except (Exception, SystemExit) as error:
            raise ConfigError.of(
                Code.CALL_FAILED,
                "metric (--metric)",
                self.spec,
                problem=f"it raised {type(error).__name__}: {error}",
            ) from error

    def value(self, sums: Tensor) -> float:
        """See :meth:`TaskMetric.value`."""
        return float(sums[0] / sums[1])
