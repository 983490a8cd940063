"""archsim: co-design of neural networks and non-volatile compute-in-memory accelerators.

    >>> import archsim
    >>> result = archsim.map_network("vgg8", design="common")
    >>> result.totals["edp_uJ_us"], result.layers

The names below are loaded on first use, so that ``import archsim`` is instant.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: Public name -> module that defines it.
_PUBLIC = {
    "map_network": "archsim.pipeline",
    "compare": "archsim.pipeline",
    "placement": "archsim.pipeline",
    "sensitivities": "archsim.pipeline",
    "intervals": "archsim.pipeline",
    "validate": "archsim.pipeline",
    "load_network": "archsim.network",
    "LayerGraph": "archsim.network",
    "resolve": "archsim.config.resolve",
    "DesignBatch": "archsim.arch.design",
    "MapResult": "archsim.results",
    "CompareResult": "archsim.results",
    "ArchsimError": "archsim.errors",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - all keys are text


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'archsim' has no attribute '{name}'")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    """Names for completion."""
    return sorted(__all__)
