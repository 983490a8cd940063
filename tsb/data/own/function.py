"""``package.module:function``: a function of the user that returns data."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset

from archsim.errors import ArchsimError, Code, DataError
from archsim.network.user_functions import user_function
from tsb.data.own.form import Most
from tsb.data.own.items import PARTS, WHOLE, Collected, FoundParts, Items, spread

DESCRIPTION = "a function that returns a Dataset, batches, arrays, or a dictionary of parts"
EXAMPLE = "my.data:fn"
_ALLOWED = (
    "a PyTorch Dataset, an iterable of batches, a pair (inputs, targets), or a dictionary of "
    f"these with {', '.join(PARTS)}"
)


def load_function(spec: str, most: Most) -> FoundParts:
    """Call the function of the user, and take what it returns into memory.

    Random numbers of torch, NumPy and Python begin at seed 0 for it, and go on afterwards as if
    it had not been called: the set is the same every time.

    Args:
        spec: ``package.module:function``; it takes no arguments.
        most: see :meth:`tsb.data.own.form.DataForm.load`.

    Raises:
        DataError: the function cannot be found, raises, or returns something else.
    """
    function = user_function(spec, kind="data", error=DataError)
    with _seeded():
        returned = _guarded(function, f"data '{spec}'")
        whole = returned if isinstance(returned, Mapping) else {WHOLE: returned}
        wrong = [name for name in whole if name not in (*PARTS, WHOLE)]
        if wrong or not whole or (WHOLE in whole and len(whole) > 1):
            raise DataError.of(
                Code.UNKNOWN_KEY,
                f"data '{spec}'",
                [str(name) for name in whole],
                problem="parts that it does not have",
                allowed=", ".join(PARTS),
            )
        parts = {}
        for name, part in whole.items():
            where = f"data '{spec}'" if name == WHOLE else f"data '{spec}': {name}"
            parts[name] = _guarded(lambda p=part, w=where, n=name: _items(p, w, most.get(n)), where)
    names = getattr(next(iter(whole.values())), "classes", None)
    said = len(names) if isinstance(names, list | tuple) and names else None
    return FoundParts(parts=parts, classes=said)


def _items(part: object, where: str, most: int | None) -> Items:
    """Return one part, whatever it is."""
    if isinstance(part, tuple) and len(part) == 2 and not isinstance(part[0], tuple):
        pair = Collected(where)
        pair.add(part, batch=True)
        return _few(pair.items(), most)
    by_number = hasattr(part, "__len__") and hasattr(part, "__getitem__")
    if by_number and not isinstance(part, list | tuple | Tensor | np.ndarray | str | bytes):
        numbers = spread(len(part), most)  # type: ignore[arg-type]  # has __len__
        collected = Collected(where, expected=len(numbers))
        for number in numbers:
            collected.add(part[number], batch=False)  # type: ignore[index]  # has __getitem__
        return collected.items()
    if not isinstance(part, Iterable) or isinstance(part, Tensor | np.ndarray | str | bytes):
        raise DataError.of(Code.WRONG_TYPE, where, type(part).__name__, allowed=_ALLOWED)
    single = isinstance(part, TorchDataset | IterableDataset)
    collected = Collected(where)
    for item in part:
        collected.add(item, batch=not single)
    return _few(collected.items(), most)


def _few(items: Items, most: int | None) -> Items:
    return items.at(torch.tensor(spread(len(items), most)))


def _guarded(call, where: str):  # type: ignore[no-untyped-def]
    """Call code of the user; what it raises is told with where."""
    try:
        return call()
    except ArchsimError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError.of(
            Code.CALL_FAILED, where, problem=f"it raised {type(error).__name__}: {error}"
        ) from error


@contextmanager
def _seeded() -> Iterator[None]:
    """Begin random numbers at seed 0, and give them back."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 - what code of the user draws from
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002 - as above
