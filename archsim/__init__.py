"""archsim: co-design of neural networks and non-volatile compute-in-memory accelerators.

The names below are loaded when they are first used, so that ``import archsim`` is light; their
types are in ``__init__.pyi``.
"""

import importlib

__version__ = "0.1.0"

#: Public name -> module that defines it. Names, not import statements: `archsim.pipeline` imports
#: `mapping`, which imports `archsim`, and a statement here would close that circle.
_HOMES = {
    "ArchsimError": "archsim.errors",
    "CompareResult": "archsim.results",
    "LayerGraph": "archsim.network",
    "MapResult": "archsim.results",
    "PAPER_NETWORKS": "archsim.pipeline",
    "Placement": "archsim.plan",
    "ProgramResult": "archsim.programmed",
    "Report": "archsim.pipeline_report_write",
    "Resolved": "archsim.config.resolve",
    "SweepResult": "archsim.explore.result",
    "compare": "archsim.pipeline",
    "deploy_chips": "archsim.pipeline_chips",
    "evaluate": "archsim.pipeline_study",
    "evaluate_chips": "archsim.pipeline_chips",
    "intervals": "archsim.pipeline",
    "load_network": "archsim.network",
    "map_network": "archsim.pipeline",
    "open_sweep": "archsim.pipeline_sweep",
    "placement": "archsim.pipeline",
    "program": "archsim.pipeline_program",
    "report": "archsim.pipeline_report_run",
    "resolve": "archsim.config.resolve",
    "sensitivities": "archsim.pipeline",
    "sweep": "archsim.pipeline_sweep",
    "train": "archsim.pipeline_study",
    "tune_chips": "archsim.pipeline_chips",
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
