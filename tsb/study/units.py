"""The pieces of a study that are computed once each: backbones, and methods on their chips."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

import torch

from archsim.config.load import load_preset
from archsim.config.study import CHIPS_PER_SEED, Backbone, Method, Study
from archsim.errors import Code, ConfigError
from archsim.units import exact
from tsb.correction import TuneSettings
from tsb.study.conditions import read_settings
from tsb.study.programming import cell_spec, weight_noise
from tsb.train.objective.registry import PLAIN
from tsb.train.settings import TrainSettings

#: Name of the backbone that is trained without noise, for the accuracy of an ideal chip.
IDEAL = "noise-free"


def slug(text: str) -> str:
    """Return a name as a folder can have it: letters, digits, dots and dashes.

    Args:
        text: any name.
    """
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-") or "unnamed"


@dataclass(frozen=True)
class BackboneUnit:
    """One training: a backbone of the study at one sigma, from one seed."""

    backbone: str
    sigma: float
    seed: int

    @property
    def folder(self) -> str:
        """Name of its folder below ``backbones/``."""
        return f"{slug(self.backbone)}-sigma{exact(self.sigma)}-seed{self.seed}"


@dataclass(frozen=True)
class MethodUnit:
    """One method on all chips of one backbone."""

    method: str
    sigma: float
    seed: int

    @property
    def folder(self) -> str:
        """Name of its folder below ``methods/``."""
        return f"{slug(self.method)}-sigma{exact(self.sigma)}-seed{self.seed}"


def check_names(study: Study) -> None:
    """Check that every unit has a folder of its own.

    Args:
        study: which.

    Raises:
        ConfigError: two names that differ only in what a folder cannot have, or a reserved one.
    """
    if IDEAL in map(slug, study.backbones):
        raise ConfigError(
            f"study.backbones: backbone '{IDEAL}' is the name of the training without noise that "
            "every study has; choose another",
            code=Code.GIVEN_TWICE,
            field="study.backbones",
            value=IDEAL,
        )
    for names in (list(study.backbones), [method.name for method in study.methods]):
        owner: dict[str, str] = {}
        for name in names:
            if slug(name) in owner:
                raise ConfigError(
                    f"study: '{owner[slug(name)]}' and '{name}' would share the folder "
                    f"'{slug(name)}'; rename one",
                    code=Code.CONFLICT,
                    field="study",
                    value=(owner[slug(name)], name),
                )
            owner[slug(name)] = name


def ideal_settings(study: Study) -> Backbone:
    """Return how the noise-free backbone is trained: like the first one, to its end.

    Args:
        study: which.
    """
    first = next(iter(study.backbones.values()))
    changes = {"sigma": 0.0, "stop_fraction": 1.0, "patience": None, "clip": None}
    return first.model_copy(update={**changes, "objective": PLAIN})


def backbone_unit(study: Study, method: Method, sigma: float, seed: int) -> BackboneUnit:
    """Return the training that a method needs.

    Args:
        study: which.
        method: one of its methods.
        sigma: of the chip.
        seed: of backbone and chips.
    """
    name = study.backbone_of(method)
    fixed_sigma = study.backbones[name].sigma
    return BackboneUnit(name, sigma if fixed_sigma is None else fixed_sigma, seed)


def method_units(study: Study) -> list[MethodUnit]:
    """Return all methods at all sigmas and seeds.

    Args:
        study: which.
    """
    return [
        MethodUnit(method.name, sigma, seed)
        for seed in study.seeds
        for sigma in study.sigma
        for method in study.methods
    ]


def backbone_units(study: Study) -> list[BackboneUnit]:
    """Return all trainings, the noise-free ones first, each once.

    Args:
        study: which.
    """
    units = [BackboneUnit(IDEAL, 0.0, seed) for seed in study.seeds]
    units += [
        backbone_unit(study, method, sigma, seed)
        for seed in study.seeds
        for sigma in study.sigma
        for method in study.methods
    ]
    return list(dict.fromkeys(units))


def backbone_of(study: Study, unit: BackboneUnit) -> Backbone:
    """Return how a unit is trained.

    Args:
        study: which.
        unit: one of its trainings.
    """
    return ideal_settings(study) if unit.backbone == IDEAL else study.backbones[unit.backbone]


def backend_of(study: Study, backbone: str, device: torch.device) -> str:
    """Return how accuracies are computed: on a GPU in bfloat16, if the training was.

    Args:
        study: which.
        backbone: name of the backbone that is measured.
        device: where.
    """
    measured = study.backbones.get(backbone, next(iter(study.backbones.values())))
    return "batched-bf16" if device.type != "cpu" and measured.precision == "bfloat16" else "auto"


def train_settings(study: Study, unit: BackboneUnit) -> TrainSettings:
    """Return the settings of a training.

    Args:
        study: which.
        unit: one of its trainings.
    """
    backbone = backbone_of(study, unit)
    return TrainSettings(
        noise=weight_noise(study, sigma=unit.sigma, scaling=backbone.scaling),
        objective=backbone.objective,
        epochs=backbone.epochs,
        stop_fraction=backbone.stop_fraction,
        patience=backbone.patience,
        batch_size=backbone.batch_size,
        learning_rate=backbone.learning_rate,
        weight_decay=backbone.weight_decay,
        augment=backbone.augment,
        clip=backbone.clip,
        validation_instances=backbone.validation_instances,
        precision=backbone.precision,
        seed=unit.seed,
    )


def tune_settings(
    study: Study, method: Method, *, written_sigma: float, scaling: str, seed: int
) -> TuneSettings:
    """Return the settings of the training of corrections.

    Args:
        study: which.
        method: one of its methods.
        written_sigma: spread with which the corrections will be written.
        scaling: of the backbone.
        seed: of the study.
    """
    tuning = study.tuning
    sigma = written_sigma if tuning.sigma is None else tuning.sigma
    return TuneSettings(
        steps=tuning.steps if method.steps is None else method.steps,
        batch_size=tuning.batch_size,
        learning_rate=method.learning_rate or tuning.learning_rate,
        noise=weight_noise(study, sigma=sigma, scaling=scaling),
        calibration_images=tuning.calibration_images,
        validation_images=tuning.validation_images,
        seed=seed,
    )


def chip_seeds(study: Study, seed: int) -> list[int]:
    """Return the seeds of the chips: the same for all methods and sigmas, which pairs them.

    Args:
        study: which.
        seed: of the study.
    """
    return [seed * CHIPS_PER_SEED + index for index in range(study.chips)]


def backbone_settings(study: Study, unit: BackboneUnit) -> dict[str, Any]:
    """Return everything in a study that a training depends on, as JSON values.

    Args:
        study: which.
        unit: one of its trainings.
    """
    given = {"validation_images": study.validation_images}
    return _json(
        {
            "network": study.network,
            "options": study.options,
            "data": study.data,
            "train_images": study.train_images,
            **{key: value for key, value in given.items() if value is not None},
            "train": train_settings(study, unit).as_json(),
            "device_hash": device_hash(study.device),
        }
    )


#: Hashes of the splits: known once the data are read, so not from the study alone.
DATA_HASH = "data_hash"
#: Settings that results of older versions do not name.
RECORDED_LATER = ("device_hash", DATA_HASH)


def device_hash(device: str) -> str:
    """Return a hash of what a device's file says, whatever its name: 16 hexadecimal digits.

    Args:
        device: preset name or YAML path.

    Raises:
        ConfigError: no such device.
    """
    text = json.dumps(load_preset("device", device), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def method_settings(study: Study, unit: MethodUnit) -> dict[str, Any]:
    """Return everything in a study that a method's result depends on, as JSON values.

    Args:
        study: which.
        unit: one of its methods at one sigma and seed.
    """
    method = next(candidate for candidate in study.methods if candidate.name == unit.method)
    training = backbone_unit(study, method, unit.sigma, unit.seed)
    keys = ("device", "chips", "runs", "test_images", "score_images", "insertion")
    # What is off is not named: results of before it existed are the same.
    given = {key: getattr(study, key) for key in ("images_per_run", "read_noise", "read_after_s")}
    if study.compensation != "none":
        given["compensation"] = study.compensation
        given["compensated_after_s"] = study.compensated_after_s
    encoding = cell_spec(study, unit.sigma).encoding
    if encoding != "magnitude":
        given["encoding"] = encoding
    # What else of the chip acts on its cells: the device's own file is known by its hash.
    given["chip_settings"] = {
        path: value for path, value in study.chip_settings.items() if path.startswith("device.")
    }
    if study.read_path != "off":
        given["read_path"] = read_path_settings(study, unit.sigma)
    return _json(
        {
            **backbone_settings(study, training),
            **{key: value for key, value in given.items() if value},
            **{key: getattr(study, key) for key in keys},
            "tsb": study.tsb.options(),
            "tuning": study.tuning.model_dump(mode="json", exclude=_unread(study)),
            "method": method.model_dump(mode="json"),
            "sigma": unit.sigma,
            "seed": unit.seed,
        }
    )


def _unread(study: Study) -> set[str]:
    """Return the settings of tuning that are nothing without a read path."""
    return {"reads"} if study.read_path == "off" else set()


def read_path_settings(study: Study, sigma: float) -> dict[str, Any]:
    """Return everything that the read path of a study depends on, as JSON values.

    Args:
        study: which.
        sigma: of the chip.
    """
    resolved, spec = study.resolve(), cell_spec(study, sigma)
    settings = read_settings(study, spec.weight_format)
    chip = resolved.chip
    own = asdict(settings)
    if settings.read_noise_law is None:
        del own["read_noise_law"]
    return {
        "mode": study.read_path,
        **own,
        "on_off_ratio": str(settings.on_off_ratio),
        "mapping": {
            "cols": chip.crossbar.cols,
            "hierarchy": chip.hierarchy.model_dump(mode="json"),
        },
    }


def _json(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as a JSON file gives them back: lists for tuples."""
    decoded: dict[str, Any] = json.loads(json.dumps(values))
    return decoded
