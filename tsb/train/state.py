"""A training in progress: what has to be kept so that it can go on after it was killed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archsim.errors import Code, ConfigError, DataError
from archsim.util.atomic_write import write_whole
from tsb.checkpoint import OPTIONS, check_fits, read_tensors, write_tensors

#: What a state calls the hashes of its training and validation images.
DATA_HASH = "data_hash"
_MODEL, _BEST, _ADAM, _EXTRA = "model.", "best.", "adam.", "auxiliary."


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@dataclass(eq=False)
class TrainState:
    """Model, optimiser and history between two epochs; all randomness follows from ``epoch``.

    Attributes:
        model: being trained.
        optimiser: its Adam.
        best: the best weights (and buffers) so far, at first the initial ones.
        best_accuracy: their accuracy; -1 before the first epoch.
        best_epoch: when they were reached; 0 is the start.
        epoch: finished epochs.
        curve: records of the finished epochs.
        stopped: why no epoch follows; "" while one does.
        auxiliary: trained with the model and thrown away afterwards; None for most objectives.
    """

    model: nn.Module
    optimiser: torch.optim.Adam
    best: dict[str, Tensor]
    best_accuracy: float = -1.0
    best_epoch: int = 0
    epoch: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""
    auxiliary: nn.Module | None = None

    @classmethod
    def fresh(
        cls, model: nn.Module, optimiser: torch.optim.Adam, auxiliary: nn.Module | None = None
    ) -> TrainState:
        """Return the state before the first epoch.

        Args:
            model: with its initial weights.
            optimiser: not yet used.
            auxiliary: of the objective.
        """
        return cls(model, optimiser, _copy(model), auxiliary=auxiliary)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return all that is trained: of the model, and of the auxiliary module with a prefix."""
        trained = dict(self.model.named_parameters())
        if self.auxiliary is not None:
            trained |= {_EXTRA + name: p for name, p in self.auxiliary.named_parameters()}
        return trained

    def finish_epoch(self, record: dict[str, Any], accuracy: float) -> None:
        """Count an epoch, and keep its weights if they are the best so far.

        Args:
            record: goes into the curve.
            accuracy: what is compared.
        """
        self.epoch += 1
        self.curve.append(record)
        if accuracy > self.best_accuracy:
            self.best, self.best_accuracy, self.best_epoch = _copy(self.model), accuracy, self.epoch

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that is a tensor, by a name with its kind in front."""
        tensors = {_MODEL + name: t for name, t in self.model.state_dict().items()}
        tensors |= {_BEST + name: t for name, t in self.best.items()}
        if self.auxiliary is not None:
            tensors |= {_EXTRA + name: t for name, t in self.auxiliary.state_dict().items()}
        for name, parameter in self.parameters().items():
            for key, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"{_ADAM}{key}.{name}"] = value
        return tensors

    def restore(self, tensors: dict[str, Tensor], history: dict[str, Any]) -> None:
        """Go back to what :meth:`tensors` and :meth:`history` returned.

        Args:
            tensors: as read.
            history: as read.

        Raises:
            DataError: tensors of another model.
        """
        parts = {
            kind: {
                name.removeprefix(kind): tensor
                for name, tensor in tensors.items()
                if name.startswith(kind)
            }
            for kind in (_MODEL, _BEST, _ADAM, _EXTRA)
        }
        check_fits(parts[_MODEL], self.model)
        check_fits(parts[_BEST], self.model)
        self.model.load_state_dict(parts[_MODEL])
        if self.auxiliary is not None:
            check_fits(parts[_EXTRA], self.auxiliary)
            self.auxiliary.load_state_dict(parts[_EXTRA])
        device = next(self.model.parameters()).device
        self.best = {name: tensor.to(device) for name, tensor in parts[_BEST].items()}
        for name, parameter in self.parameters().items():
            adam_state = {
                key.removesuffix(f".{name}"): tensor.to(device)
                for key, tensor in parts[_ADAM].items()
                if key.endswith(f".{name}") and "." not in key.removesuffix(f".{name}")
            }
            if adam_state:
                self.optimiser.state[parameter] = adam_state
        for key in ("best_accuracy", "best_epoch", "epoch", "curve", "stopped"):
            setattr(self, key, history[key])

    def history(self) -> dict[str, Any]:
        """Return everything else, as JSON can hold it."""
        return {
            "best_accuracy": self.best_accuracy,
            "best_epoch": self.best_epoch,
            "epoch": self.epoch,
            "curve": self.curve,
            "stopped": self.stopped,
        }


@dataclass(frozen=True)
class RunFolder:
    """The files of a run; the state is written last and is the truth, the others follow from it."""

    path: Path

    @property
    def state(self) -> Path:
        """Where the run goes on from."""
        return self.path / "state.safetensors"

    @property
    def best(self) -> Path:
        """The best weights: a checkpoint for :func:`tsb.checkpoint.load_checkpoint`."""
        return self.path / "best.safetensors"

    @property
    def curve(self) -> Path:
        """The learning curve: a JSON object per line."""
        return self.path / "curve.jsonl"

    def resume(self, state: TrainState, about: dict[str, object]) -> None:
        """Restore the state of an earlier run, if there is one; else make the folder.

        Args:
            state: fresh; changed in place.
            about: settings and data; must be those of the earlier run.

        Raises:
            ConfigError: other settings; names the values that differ.
            DataError: damaged, of another model, or a folder that cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError.of(
                Code.CANNOT_WRITE, self.path, problem=f"cannot be made: {error.strerror or error}"
            ) from error
        if not self.state.exists():
            return
        tensors, metadata = read_tensors(self.state)
        before, history = metadata.get("settings"), metadata.get("history")
        if not (isinstance(before, dict) and isinstance(history, dict)):
            raise DataError.of(Code.WRONG_FILE, self.state, problem="not the state of a training")
        _check_same(before, json.loads(json.dumps(about)), self.path)
        state.restore(tensors, history)
        self._write_derived(state, about)

    def save(self, state: TrainState, about: dict[str, object]) -> None:
        """Write the state, then what follows from it.

        Args:
            state: after an epoch.
            about: settings and data.

        Raises:
            DataError: a file cannot be written.
        """
        write_tensors(self.state, state.tensors(), {"settings": about, "history": state.history()})
        self._write_derived(state, about)

    def _write_derived(self, state: TrainState, about: dict[str, object]) -> None:
        settings = {**about, "best_epoch": state.best_epoch}
        metadata = {"network": about.get("network", ""), "settings": settings}
        write_tensors(self.best, state.best, metadata)
        lines = "".join(json.dumps(record) + "\n" for record in state.curve)
        write_whole(self.curve, lines.encode())


def _check_same(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    # States of before images and options were recorded do not have them.
    now = {k: v for k, v in now.items() if k in before or k not in (DATA_HASH, OPTIONS)}
    differ = [
        f"{key}: {before.get(key)} before, {now.get(key)} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if differ:
        raise ConfigError(
            f"{path} holds a run with other settings ({'; '.join(differ)}); give another folder, "
            "or the same settings",
            code=Code.CONFLICT,
            field=path,
            value=differ,
        )
