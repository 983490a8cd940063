"""One programmed chip: what the cells really hold, frozen, and what goes with it in digital memory.

:func:`deploy` programs a trained backbone once. From then on the errors of its cells stay the same:
a :class:`ProgrammedChip` can be saved, loaded on another machine, and gives the same accuracy
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from archsim.errors import Code, ConfigError, DataError
from archsim.util.checks import seed_of
from tsb.cells.programmable import known_network
from tsb.cells.quantize import quantise
from tsb.cells.stored import mapped_weights, stored_tensors
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import check_finite, check_fits, read_tensors, tensors_hash, write_tensors
from tsb.program.storage import WeightStorage
from tsb.write_verify.selective import Masks, verify_none

_KIND = "chip"


@dataclass(frozen=True, eq=False, kw_only=True)
class ProgrammedChip:
    """A network on one chip.

    Attributes:
        network: its name, "" if unknown.
        backbone: hash of the weights that were asked for.
        seed: of the programming errors.
        storage: how the weights were put on cells.
        tensors: all parameters and buffers by name: the weights as the cells hold them, biases and
            batch norms as they are.
        wanted: the weights that were asked for (rounded to codes), by name; outputs first.
        verified_weights: how many were write-verified.
        options: with which the network was built, as JSON values.
    """

    network: str
    backbone: str
    seed: int
    storage: WeightStorage
    tensors: dict[str, Tensor]
    wanted: dict[str, Tensor]
    verified_weights: int
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def stored(self) -> dict[str, Tensor]:
        """The weights as the cells hold them, by name."""
        return {name: self.tensors[name] for name in self.wanted}

    @property
    def weights(self) -> int:
        """Number of weights, each counted once however many copies it has."""
        return sum(weight.numel() for weight in self.wanted.values())

    def to(self, device: torch.device | str) -> ProgrammedChip:
        """Return the chip with its tensors on a device.

        Args:
            device: of PyTorch.
        """
        parts = {
            name: {key: tensor.to(device) for key, tensor in tensors.items()}
            for name, tensors in (("tensors", self.tensors), ("wanted", self.wanted))
        }
        return replace(self, tensors=parts["tensors"], wanted=parts["wanted"])

    def load_into(self, model: nn.Module) -> None:
        """Give a model the weights of this chip, and put it in evaluation mode.

        Args:
            model: of the same network.

        Raises:
            DataError: another network; the model is untouched.
        """
        check_fits(self.tensors, model)
        model.load_state_dict(self.tensors)
        model.eval()

    def save(self, path: Path | str) -> None:
        """Write the chip, completely or not at all.

        Args:
            path: ends in ``.safetensors``.

        Raises:
            DataError: it cannot be written.
        """
        tensors = {f"chip.{name}": tensor for name, tensor in self.tensors.items()}
        tensors |= {f"wanted.{name}": tensor for name, tensor in self.wanted.items()}
        about = {
            "kind": _KIND,
            "network": self.network,
            "backbone": self.backbone,
            "seed": self.seed,
            "cell": asdict(self.storage.cell),
            "scaling": self.storage.scaling,
            "copies": dict(self.storage.copies),
            "verified_weights": self.verified_weights,
            "options": dict(self.options),
        }
        write_tensors(Path(path), tensors, about)

    @classmethod
    def load(cls, path: Path | str, *, network: str = "") -> ProgrammedChip:
        """Read a chip.

        Args:
            path: file from :meth:`save`.
            network: refuse the chip of another one; "" takes any.

        Raises:
            DataError: missing, damaged, not a chip, or of another network.
        """
        tensors, about = read_tensors(Path(path))
        if about.get("kind") != _KIND:
            raise DataError.of(
                Code.WRONG_FILE, path, problem="not the file of a chip; archsim deploy writes one"
            )
        if network and about.get("network") != network:
            raise DataError(
                f"{path}: a chip of '{about.get('network')}', not of '{network}'",
                code=Code.WRONG_FILE,
                field=path,
                value=about.get("network"),
                allowed=network,
            )
        check_finite(tensors, str(path))
        try:
            return _from_parts(tensors, about)
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise DataError.of(
                Code.WRONG_FILE,
                path,
                problem=f"of another version of archsim ({error}); archsim deploy makes it anew",
            ) from error


def _from_parts(tensors: Mapping[str, Tensor], about: Mapping[str, object]) -> ProgrammedChip:
    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}

    cell, copies = about["cell"], about["copies"]
    options = about.get("options", {})  # chips of before they were recorded have the usual ones
    if not (isinstance(cell, dict) and isinstance(copies, dict) and isinstance(options, dict)):
        raise TypeError("cell, copies and options")
    return ProgrammedChip(
        network=str(about["network"]),
        backbone=str(about["backbone"]),
        seed=int(str(about["seed"])),
        storage=WeightStorage(
            cell=CellModel.of_json(cell), scaling=str(about["scaling"]), copies=dict(copies)
        ),
        tensors=part("chip."),
        wanted=part("wanted."),
        verified_weights=int(str(about["verified_weights"])),
        options=dict(options),
    )


def deploy(
    model: nn.Module,
    storage: WeightStorage,
    *,
    seed: int,
    network: str = "",
    options: Mapping[str, object] | None = None,
    verified: Masks | None = None,
) -> ProgrammedChip:
    """Program a backbone onto one chip.

    The same seed gives the same errors, in units of their standard deviation, whatever the
    storage and the masks: methods that are compared on chips of equal seeds are paired.

    Args:
        model: trained; not changed.
        storage: how its weights are put on cells.
        seed: of the programming errors, 0 to 2^32 - 1.
        network: name of the model, kept with the chip.
        options: with which that network was built, kept with the chip.
        verified: masks of the weights that are write-verified; None verifies none.

    Raises:
        ConfigError: a seed out of range, or copies of a weight that the model has not.
        DataError: weights that are not finite.
    """
    return deploy_all(model, storage, [seed], network=network, options=options, verified=verified)[
        0
    ]


def deploy_all(
    model: nn.Module,
    storage: WeightStorage,
    seeds: Sequence[int],
    *,
    network: str = "",
    options: Mapping[str, object] | None = None,
    verified: Masks | None = None,
) -> list[ProgrammedChip]:
    """Program a backbone onto several chips, each as :func:`deploy` does, in less time.

    Args:
        model: trained; not changed.
        storage: how its weights are put on cells.
        seeds: of the programming errors of each chip, 0 to 2^32 - 1.
        network: name of the model, kept with the chips.
        options: with which that network was built, kept with the chips.
        verified: masks of the weights that are write-verified; None verifies none.

    Raises:
        ConfigError: a seed out of range, or copies of a weight that the model has not.
        DataError: weights that are not finite.
    """
    for seed in seeds:
        seed_of(seed)
    model = known_network(model, network)
    tensors = {name: t.detach().cpu().clone() for name, t in model.state_dict().items()}
    check_finite(tensors, network or type(model).__name__)
    weights = {name: tensors[name] for name in mapped_weights(model)}
    masks = verify_none(weights) if verified is None else verified
    bits = storage.cell.weight_format.magnitude_bits
    wanted = {name: quantise(weight, bits, storage.scaling) for name, weight in weights.items()}
    write = storage.writer(weights, masks)
    backbone = tensors_hash(tensors)
    verified_weights = sum(int(mask.sum()) for mask in masks.values())
    drawn = (write(torch.Generator().manual_seed(seed)) for seed in seeds)
    return [
        ProgrammedChip(
            network=network,
            backbone=backbone,
            seed=seed,
            storage=storage,
            tensors=tensors | stored_tensors(model, stored) | stored,
            wanted=wanted,
            verified_weights=verified_weights,
            options=dict(options or {}),
        )
        for seed, stored in zip(seeds, drawn, strict=True)
    ]
