"""Checks that a study can be run: its network, images, objectives and methods fit each other."""

from __future__ import annotations

import warnings

from torch import nn

from archsim.config.study import Method, Study
from archsim.errors import Code, ConfigError, close_matches
from tsb.cells.stored import mapped_weights, stored_network
from tsb.data import Dataset
from tsb.study.conditions import beyond_retention, conditions_of
from tsb.study.corrections import corrections_of
from tsb.study.network import graph_of, module_of
from tsb.study.programming import cell_model, write_choice
from tsb.study.units import check_names
from tsb.study.work import dataset_of
from tsb.train.objective.registry import objective_named

#: Channels, height and width.
IMAGE_AXES = 3


def check_runnable(study: Study, data_root: str | None) -> None:
    """Find what is wrong with a study before hours of work; nothing is written.

    Args:
        study: which; its names are known (:func:`tsb.study.load.checked_study`).
        data_root: where the data are; None looks in the usual places and then downloads.

    Raises:
        ArchsimError: network, data, objectives or methods that cannot be used, or do not fit.
    """
    from tsb.correction import make_carrier
    from tsb.correction.corrected import attach_all

    check_names(study)
    data = dataset_of(study, data_root)
    graph = graph_of(study)
    model = stored_network(module_of(study), graph)
    shape = tuple(data.train.images.shape[1:])
    wanted = getattr(model, "input_shape", shape)
    if tuple(wanted) != shape:
        raise ConfigError(
            f"study.data = '{study.data}' has images of {shape}, study.network = "
            f"'{study.network}' takes {tuple(wanted)}",
            code=Code.SHAPE_MISMATCH,
            field="study.data",
            value=study.data,
        )
    if data.num_classes is None or data.train.labels.dim() != 1 or len(shape) != IMAGE_AXES:
        raise ConfigError(
            f"study.data = '{study.data}': studies train classifiers of images, and its items are "
            f"of shape {shape} with targets of {tuple(data.train.labels.shape[1:])}; allowed: "
            "channels, height and width, with one class each. archsim evaluate takes others",
            code=Code.UNSUPPORTED,
            field="study.data",
            value=study.data,
            allowed="channels, height and width, with one class each",
        )
    classes = getattr(model, "num_classes", data.num_classes)
    if classes != data.num_classes:
        raise ConfigError(
            f"study.data = '{study.data}' has {data.num_classes} classes, study.network = "
            f"'{study.network}' {classes}; set study.options.num_classes",
            code=Code.SHAPE_MISMATCH,
            field="study.data",
            value=study.data,
        )
    cell_model(study, study.sigma[0])
    conditions_of(study)
    if beyond_retention(study):
        warnings.warn(beyond_retention(study), stacklevel=3)
    _check_sizes(study, data)
    _check_objectives(study, model, shape)
    layers = mapped_weights(model)
    for method in study.methods:
        _check_layers(study, method, tuple(layers))
        corrections = corrections_of(study, method)
        attach_all(corrections, make_carrier(model, graph, rule=study.insertion))


def _check_sizes(study: Study, data: Dataset) -> None:
    """Find batches and subsets that the data cannot fill, and noise beyond the range."""
    sizes = {"tuning.batch_size": (study.tuning.batch_size, len(data.train))}
    for name, backbone in study.backbones.items():
        sizes[f"backbones.{name}.batch_size"] = (backbone.batch_size, len(data.train))
        for sigma in study.sigma if backbone.sigma is None else [backbone.sigma]:
            added = objective_named(backbone.objective).added_sigma
            if added and sigma + added > 1:
                raise ConfigError(
                    f"study.backbones.{name}: {backbone.objective} adds up to {added:g} to sigma = "
                    f"{sigma:g}; allowed: 1 together, the whole range",
                    code=Code.OUT_OF_RANGE,
                    field=f"study.backbones.{name}",
                    value=sigma,
                    allowed="1 together",
                )
    if study.images_per_run is not None:
        sizes["images_per_run"] = (study.images_per_run, len(data.test))
    for key, (asked, there) in sizes.items():
        if asked > there:
            raise ConfigError(
                f"study.{key} = {asked}; allowed: 1 to {there}, the images there are",
                code=Code.OUT_OF_RANGE,
                field=f"study.{key}",
                value=asked,
                allowed=f"1 to {there}",
            )


def _check_layers(study: Study, method: Method, names: tuple[str, ...]) -> None:
    """Find layers of a method that the network has not."""
    for name in method.copies:
        if name not in names:
            raise ConfigError(
                f"study.methods: copies of '{name}' in '{method.name}': '{study.network}' has no "
                f"such weight; allowed: {', '.join(names)}.{close_matches(name, names)}",
                code=Code.UNKNOWN_NAME,
                field="study.methods.copies",
                value=name,
                allowed=tuple(names),
            )
    choice = write_choice(method)
    if "last_layers" in choice.policy.takes and choice.last_layers > len(names):
        raise ConfigError(
            f"study.methods: last_layers = {method.last_layers} in '{method.name}'; allowed: 1 to "
            f"{len(names)}, the layers of '{study.network}'",
            code=Code.OUT_OF_RANGE,
            field="study.methods.last_layers",
            value=method.last_layers,
            allowed=f"1 to {len(names)}",
        )


def _check_objectives(study: Study, model: nn.Module, shape: tuple[int, ...]) -> None:
    """Find objectives that cannot train the network."""
    for name, backbone in study.backbones.items():
        path = f"study.backbones.{name}"
        try:
            objective_named(backbone.objective).prepare(model, shape, seed=0)
        except ConfigError as error:
            raise ConfigError(
                f"{path}: {error}",
                code=error.code,
                field=f"{path}.objective",
                value=error.value,
                allowed=error.allowed,
            ) from error
