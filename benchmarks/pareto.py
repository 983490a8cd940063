"""Seconds of the Pareto filter, beside a plain NumPy filter in the same run.

    python benchmarks/pareto.py [--sizes 10000 100000 1000000] [--objectives 4]
        [--most 3000000000]

The baseline sorts the points by the sum of their objectives and then lets each survivor strike out
what it dominates, as paretoset and the usual answers do: O(n x front). It is run only where its
work (points x front) stays below ``--most`` comparisons; its mask must be the same.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from archsim.analysis.pareto import non_dominated

Points = NDArray[np.float64]


def uniform(generator: np.random.Generator, count: int, width: int) -> Points:
    return generator.random((count, width))


def correlated(generator: np.random.Generator, count: int, width: int) -> Points:
    """Log-normal, correlation 0.8: what is large is also slow, as designs are."""
    common = generator.standard_normal((count, 1))
    independent = generator.standard_normal((count, width))
    return np.exp(np.sqrt(0.8) * common + np.sqrt(0.2) * independent)


def opposed(generator: np.random.Generator, count: int, width: int) -> Points:
    """Near a simplex: one objective is paid for with the others, and the front is large."""
    shares = generator.exponential(size=(count, width))
    return shares / shares.sum(axis=1, keepdims=True) * (1 + 0.05 * generator.random((count, 1)))


def ties(generator: np.random.Generator, count: int, width: int) -> Points:
    """Twelve values per objective."""
    return np.floor(12 * generator.random((count, width)))


def duplicates(generator: np.random.Generator, count: int, width: int) -> Points:
    """A thousand different points, over and over."""
    return generator.random((1000, width))[generator.integers(0, 1000, count)]


CLOUDS: dict[str, Callable[[np.random.Generator, int, int], Points]] = {
    each.__name__: each for each in (uniform, correlated, opposed, ties, duplicates)
}


def plain_filter(points: Points) -> NDArray[np.bool_]:
    """The baseline."""
    order = np.argsort(points.sum(axis=1), kind="stable")
    rows = points[order]
    left = np.arange(len(rows))
    at = 0
    while at < len(left):
        here = left[at]
        row, others = rows[here], rows[left]
        # Kept: better somewhere, or equal everywhere.
        left = left[(others < row).any(axis=1) | (others == row).all(axis=1)]
        at = int(np.searchsorted(left, here)) + 1
    mask = np.zeros(len(points), dtype=bool)
    mask[order[left]] = True
    return mask


def whole(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}'; allowed: a whole number from 1 on")
    return int(text)


def seconds(work: Callable[[], NDArray[np.bool_]]) -> tuple[float, NDArray[np.bool_]]:
    start = time.perf_counter()
    mask = work()
    return time.perf_counter() - start, mask


def main() -> None:
    """Run the benchmark and print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=whole, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--objectives", type=whole, default=4)
    parser.add_argument("--most", type=float, default=3e9)
    arguments = parser.parse_args()
    for count in arguments.sizes:
        for name, draw in CLOUDS.items():
            points = draw(np.random.default_rng(0), count, arguments.objectives)
            took, mask = seconds(lambda p=points: non_dominated(p, [False] * p.shape[1]))
            line = f"{name:11s} n={count:<9d} front {mask.sum():<7d} {took:8.3f} s"
            if float(count) * float(mask.sum()) <= arguments.most:
                plain, same = seconds(lambda p=points: plain_filter(p))
                if not np.array_equal(mask, same):
                    raise SystemExit(f"{line}: the plain filter found another front")
                line += f"   plain {plain:8.3f} s, x{plain / took:.1f}"
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{line}   peak {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
