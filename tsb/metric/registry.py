"""All metrics of tasks: the one place that lists them."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.errors import Code, ConfigError
from archsim.util.checks import one_of
from tsb.data.dataset import Dataset
from tsb.metric.base import TaskMetric
from tsb.metric.mean_iou import MeanIou
from tsb.metric.own import OwnMetric
from tsb.metric.perplexity import Perplexity
from tsb.metric.squared_error import MeanSquaredError
from tsb.metric.top_k import Top1, Top5

DIRECTIONS = ("higher", "lower")
#: Metrics by name; any other name is that of a function of the user.
TASK_METRICS: Mapping[str, TaskMetric] = {
    metric.name: metric for metric in (Top1(), Top5(), MeanIou(), Perplexity(), MeanSquaredError())
}
#: What lists show: all of them, and what a function of the user is.
LISTED: tuple[type[TaskMetric] | TaskMetric, ...] = (*TASK_METRICS.values(), OwnMetric)


def metric_named(name: str | None, data: Dataset, direction: str | None = None) -> TaskMetric:
    """Return a metric.

    Args:
        name: one of :data:`TASK_METRICS`, or ``module:function``; None: ``top-1``, and ``mse``
            where targets are values.
        data: whose targets it measures.
        direction: which end is better, of a function of the user that does not say it.

    Raises:
        ConfigError: an unknown name, a direction of a metric that has its own, or a function that
            cannot be used.
    """
    if direction is not None:
        one_of("--metric-direction", direction, DIRECTIONS)
    if name is not None and ":" in name:
        return OwnMetric(name, direction)
    chosen = name or ("mse" if data.num_classes is None else "top-1")
    one_of("metric (--metric)", chosen, tuple(TASK_METRICS))
    metric = TASK_METRICS[chosen]
    if direction is not None:
        raise ConfigError.of(
            Code.CONFLICT,
            "--metric-direction",
            direction,
            problem=f"metric '{chosen}' has its own",
            allowed="with a metric module:function",
        )
    return metric
