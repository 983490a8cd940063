"""One model of each family of timm: whether archsim reads it, and what it covers.

    python benchmarks/timm_families.py [--families convnext swin_transformer ...]

A family is a module of timm; of each, the model with the shortest name among those that are called
small, so that all of them take a few minutes. Needs timm; no weights. Exits with 1 where a model
cannot be read or has operators that are neither mapped nor priced.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from typing import Any

from archsim.errors import ArchsimError
from archsim.network import load_network
from archsim.network.timm_models import import_timm

_SMALL = ("nano", "tiny", "atto", "small", "18", "_s", "lite", "b0")


def one_of(timm: Any, family: str) -> str | None:
    """The model that stands for a family, None for a module without models."""
    names = timm.list_models(module=family)
    return min(
        names, key=lambda name: (not any(k in name for k in _SMALL), len(name), name), default=None
    )


def line(name: str) -> tuple[str, bool]:
    """What a model is, and whether all of it is covered."""
    start = time.perf_counter()
    graph = load_network(f"timm:{name}")
    places = len(graph.insertion_points())
    cover, unknown = graph.coverage, Counter(op.op for op in graph.unmapped)
    left = "".join(f"  {op} x{count} not covered" for op, count in unknown.items())
    text = (
        f"{len(graph.layers):4d} layers {cover.macs / 1e9:9.3f} G MACs, "
        f"{100 * cover.share:6.2f} % covered, {100 * cover.digital / cover.macs:5.2f} % digital, "
        f"{places:3d} places of a block, {time.perf_counter() - start:5.1f} s{left}"
    )
    return text, not unknown


def main() -> int:
    """Read one model of each family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="+", help="default: all that the installed timm has")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    timm = import_timm()
    known = timm.list_modules()
    unknown = next((name for name in chosen.families or () if name not in known), None)
    if unknown is not None:
        parser.error(f"--families: '{unknown}'; allowed: {', '.join(known)}")
    families = chosen.families or known
    wrong = read = 0
    for family in families:
        name = one_of(timm, family)
        if name is None:
            continue
        try:
            text, whole = line(name)
        except ArchsimError as error:
            text, whole = f"refused: {error}", False
        read += 1
        wrong += not whole
        print(f"{family:28s}{name:36s}{text}", flush=True)
    print(f"timm {timm.__version__}: {read} families, {wrong} not wholly covered")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
