"""Write the graphs of the built-in networks that are shipped.

    python -m archsim.network.kept.write_shipped

After every change of :mod:`archsim.network` that they may follow from; a test says when.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from archsim.network import zoo
from archsim.network.graph import LayerGraph
from archsim.network.kept.graph_data import to_text
from archsim.network.kept.shipped import FOLDER, SOURCE
from archsim.network.kept.versions import zoo_source
from archsim.network.trace import trace


def traced(name: str) -> LayerGraph:
    """Trace a built-in network with its default options.

    Args:
        name: of the registry.
    """
    built = zoo.build(name, device="meta")
    return trace(built, built.input_shape, name=name)


def files() -> Iterator[tuple[Path, str]]:
    """Return what every file should hold, tracing all networks."""
    for name in zoo.names():
        yield FOLDER / f"{name}.json", to_text(traced(name))
    yield FOLDER / SOURCE, f"{zoo_source()}\n"


def main() -> None:
    """Write the files anew."""
    for path, text in files():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
