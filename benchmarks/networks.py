"""One row per network: what it is, what it costs on one chip, and how long archsim takes.

    python benchmarks/networks.py [--networks resnet50 bert_base ...] [--chip rram-22nm]
        [--max-tiles N] [--markdown]

Convolutional networks and vision transformers come from timm, BERT-base and a decoder of 1.2
billion parameters from transformers, all without weights. Seconds are those of building, tracing,
mapping and pricing in this process; those of importing timm or transformers stand in a line of
their own. Needs timm and transformers.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import sys
import time
from pathlib import Path
from typing import Any

from archsim.api.map import map_network
from archsim.errors import ArchsimError
from archsim.results.mapped import MapResult

#: Short name -> how archsim names the network, and its input.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet50": ("timm:resnet50", {}),
    "mobilenetv2": ("timm:mobilenetv2_100", {}),
    "efficientnet_b0": ("timm:efficientnet_b0", {}),
    "convnext_tiny": ("timm:convnext_tiny", {}),
    "vit_base": ("timm:vit_base_patch16_224", {}),
    "swin_tiny": ("timm:swin_tiny_patch4_window7_224", {}),
    "bert_base": ("network_models:bert_base", {"input_shape": (128,), "input_dtype": "int64"}),
    "albert_base": ("network_models:albert_base", {"input_shape": (128,), "input_dtype": "int64"}),
    "gpt2": ("network_models:gpt2", {"input_shape": (128,), "input_dtype": "int64"}),
    "llama_1b": ("network_models:llama_1b", {"input_shape": (128,), "input_dtype": "int64"}),
}
HEAD = (
    "network", "MACs G", "params M", "covered %", "digital %", "weights M", "tiles", "used %",
    "energy uJ", "latency us", "EDP uJ us", "seconds",
)  # fmt: skip


def row(name: str, result: MapResult, seconds: float) -> list[str]:
    """What the table says of one network; an infeasible one has dashes."""
    coverage, totals = result.graph.coverage, result.totals
    cost = ("tiles", "utilisation", "energy_uJ", "latency_us", "edp_uJ_us")
    values = [totals[key] for key in cost]
    if values[1] is not None:
        values[1] *= 100
    return [
        name,
        f"{coverage.macs / 1e9:.3f}",
        f"{result.graph.parameters / 1e6:.2f}",
        f"{100 * coverage.share:.1f}",
        f"{100 * coverage.digital / coverage.macs:.2f}",
        f"{result.graph.totals.weights / 1e6:.2f}",
        *("-" if value is None else f"{value:.4g}" for value in values),
        f"{seconds:.1f}",
    ]


def show(rows: list[list[str]], markdown: bool) -> None:
    """Print a table, as text or as Markdown."""
    if markdown:
        print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
        for cells in rows:
            print("| " + " | ".join(cells) + " |")
        return
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    for cells in [list(HEAD), *rows]:
        print("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)))


def libraries(names: list[str]) -> None:
    """Import what the networks need, and say how long that takes."""
    from archsim.network.timm_models import import_timm

    start = time.perf_counter()
    if any(NETWORKS[name][0].startswith("timm:") for name in names):
        import_timm()
    if any(NETWORKS[name][0].startswith("network_models:") for name in names):
        importlib.import_module("transformers")
    print(f"importing the libraries: {time.perf_counter() - start:.1f} s")


def main() -> None:
    """Map every network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--chip", default="rram-22nm")
    parser.add_argument("--max-tiles", type=int, help="of one chip; larger networks take several")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    overrides = []
    if arguments.max_tiles is not None:
        overrides = [
            f"chip.hierarchy.max_tiles={arguments.max_tiles}",
            "chip.off_chip.when_full=multi-chip",
        ]
    libraries(arguments.networks)
    rows, notes = [], []
    for name in arguments.networks:
        spec, options = NETWORKS[name]
        start = time.perf_counter()
        result = map_network(spec, chip=arguments.chip, overrides=overrides, **options)
        rows.append(row(name, result, time.perf_counter() - start))
        need = result.capacity
        if need is not None:
            notes.append(
                f"{name}: {need['parts']} chips of {need['tiles_per_chip']} tiles, "
                f"{need['weights_per_part']:,} weights each, written in "
                f"{need['programming_time_per_part_ms']:.4g} ms each"
            )
    show(rows, arguments.markdown)
    print("\n".join(notes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory: {peak:.0f} MiB")


if __name__ == "__main__":
    try:
        main()
    except ArchsimError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
