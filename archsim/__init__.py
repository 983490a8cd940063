"""archsim: co-design of neural networks and non-volatile compute-in-memory accelerators.

The names below are loaded when they are first used, so that ``import archsim`` is light; their
types are in ``__init__.pyi``.
"""

import importlib

__version__ = "0.1.0"

#: Public name -> module that defines it. Names, not import statements: `archsim.api.map` imports
#: `mapping`, which imports `archsim`, and a statement here would close that circle.
_HOMES = {
    "ArchsimError": "archsim.errors",
    "CompareResult": "archsim.results.compared",
    "LayerGraph": "archsim.network",
    "MacroResult": "archsim.results.macro",
    "MapResult": "archsim.results.mapped",
    "NetworkAccuracy": "archsim.results.network_accuracy",
    "PAPER_NETWORKS": "archsim.api.compare",
    "Placement": "archsim.plan",
    "ProgramResult": "archsim.results.programmed",
    "ReadResult": "archsim.results.reading",
    "Report": "archsim.api.report.write",
    "Resolved": "archsim.config.resolve",
    "SweepResult": "archsim.explore.query.result",
    "compare": "archsim.api.compare",
    "deploy_chips": "archsim.api.chips",
    "evaluate": "archsim.api.evaluate",
    "evaluate_chips": "archsim.api.chips",
    "evaluate_designs": "archsim.api.designs",
    "evaluate_network": "archsim.api.pretrained",
    "fit_device": "archsim.api.fit",
    "intervals": "archsim.api.map",
    "limits": "archsim.api.map",
    "load_network": "archsim.network",
    "macro": "archsim.api.macro",
    "map_network": "archsim.api.map",
    "open_sweep": "archsim.api.sweep",
    "placement": "archsim.api.map",
    "program": "archsim.api.program.run",
    "read": "archsim.api.read",
    "report": "archsim.api.report.run",
    "resolve": "archsim.config.resolve",
    "sensitivities": "archsim.api.map",
    "sweep": "archsim.api.sweep",
    "train": "archsim.api.train",
    "tune_chips": "archsim.api.chips",
}

__all__ = ["__version__"]
__all__.extend(_HOMES)


def __getattr__(name: str) -> object:
    """Load a public name.

    Raises:
        AttributeError: there is no such name.
    """
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'archsim' has no attribute '{name}'")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names of this module, those not yet loaded included."""
    return sorted({*globals(), *_HOMES})
