"""Layers that take time first: which axis of what they get is time, and which the batch.

``nn.LSTM``, ``nn.GRU``, ``nn.RNN``, ``nn.MultiheadAttention`` and ``nn.Transformer`` read
(steps, batch, features) unless ``batch_first`` is set. An input with its batch axis first is then
one step of a large batch: another network, without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from archsim.errors import Code, NetworkError
from archsim.network.inputs import Example


@contextmanager
def axis_order(
    module: nn.Module, network: str, example: Example, *, explicit: bool
) -> Iterator[None]:
    """Refuse, inside, a layer that gets one step of a batch where it takes a batch of one.

    Args:
        module: The model.
        network: Its name, for the message.
        example: What it runs on.
        explicit: Whether the axis of the batch was given.

    Raises:
        NetworkError: From within, when such a layer is called.
    """
    hooks = [
        part.register_forward_pre_hook(
            _check(path, network, example, explicit=explicit), with_kwargs=True
        )
        for path, part in module.named_modules()
        if isinstance(getattr(part, "batch_first", None), bool)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _check(
    path: str, network: str, example: Example, *, explicit: bool
) -> Callable[[nn.Module, tuple[object, ...], Mapping[str, object]], None]:
    def check(part: nn.Module, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        if not given or given[0].dim() != 3:
            return
        batch_first = bool(getattr(part, "batch_first", False))
        first, second = int(given[0].shape[0]), int(given[0].shape[1])
        steps, batch = (second, first) if batch_first else (first, second)
        wrong_way = batch_first and example.batch_axis == 1
        if steps > 1 or batch == 1 or not (wrong_way or not (batch_first or explicit)):
            return
        other = 0 if batch_first else 1
        order = "the batch" if batch_first else "time"
        raise NetworkError(
            f"network '{network}': '{path or type(part).__name__}' ({type(part).__name__}, "
            f"batch_first={batch_first}) takes {order} first, and gets one step of a batch of "
            f"{batch} from the input {example.text}. Give --batch-axis {other} (batch_axis in "
            f"Python) if these are {batch} steps of one input; the example then has its batch of 1 "
            f"at axis {other}. --batch-axis {1 - other} says that it is meant like this",
            code=Code.SHAPE_MISMATCH,
            field="batch_axis",
            value=example.batch_axis,
            allowed=str(other),
        )

    return check
