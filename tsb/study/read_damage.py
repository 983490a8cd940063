"""What the reads of a study's chips do to its layers, and what that does to its network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archsim.config.study import Study
from archsim.errors import Code, ConfigError
from tsb.checkpoint import load_checkpoint
from tsb.correction import CorrectedChip, make_carrier
from tsb.correction.base import Carrier
from tsb.correction.used import ChipInUse
from tsb.data import Dataset
from tsb.monte_carlo.evaluate import one_thread
from tsb.program.cell_errors import cell_errors
from tsb.program.chip import ProgrammedChip, deploy_all
from tsb.program.storage import WeightStorage
from tsb.read_path.damage import layer_losses, layer_outputs, not_a_noise
from tsb.read_path.network import ReadNetwork
from tsb.read_path.read_noise import Noise
from tsb.read_path.response import Response, measure_response
from tsb.read_path.surrogate import layer_moments, surrogate_accuracy
from tsb.study.conditions import conditions_of, read_settings
from tsb.study.network import graph_of, module_of
from tsb.study.programming import cell_model, cell_spec, write_masks
from tsb.study.read_path import INPUT_IMAGES, RANGE_IMAGES, RowsOf, exact_reader
from tsb.study.units import (
    MethodUnit,
    backbone_unit,
    chip_seeds,
    method_units,
    read_path_settings,
)

#: Images that the error of a layer is measured on, and chips.
IMAGES, CHIPS = 32, 2
#: Images that the response of a network is measured on, at most.
RESPONSE_IMAGES = 500


@dataclass(frozen=True)
class Damage:
    """What reads do to a network.

    Attributes:
        ratios: error over signal by layer, mean over the chips.
        accuracy: on validation images, of a network that loses the same output by output
            (:mod:`tsb.read_path.surrogate`), mean over the chips.
        refused: why the errors cannot be taken for a noise, "" where they can.
    """

    ratios: dict[str, float]
    accuracy: float
    refused: str


@dataclass(eq=False)
class ReadsOfBackbone:
    """The chips of one backbone of a study without corrections, read in many ways.

    Attributes:
        study: with one method and one sigma; others are read through :meth:`damage`.
        unit: its method.
        carrier: the network.
        chips: programmed, on the CPU.
        errors: of the cells of each chip, levels, by layer.
        data: of the study.
        response: of the network to noise.
    """

    study: Study
    unit: MethodUnit
    carrier: Carrier
    chips: list[ProgrammedChip]
    errors: list[dict[str, Tensor]]
    data: Dataset
    response: Response
    _calibrated: dict[str, ReadNetwork] = field(default_factory=dict)

    @classmethod
    def of(cls, study: Study, best: Path, data: Dataset) -> ReadsOfBackbone:
        """Program the chips of a study's backbone, and measure how it takes noise.

        Args:
            study: with one method, at one sigma; its first seed is taken.
            best: checkpoint of the method's backbone.
            data: of the study.

        Raises:
            ConfigError: a method with corrections: how they take noise is not known.
        """
        unit = method_units(study)[0]
        method = study.methods[0]
        if method.corrections or method.copies:
            raise ConfigError(
                f"method '{method.name}' has corrections or copies, and accuracies are predicted "
                "for backbones alone",
                code=Code.UNSUPPORTED,
                field="sweep.accuracy.predict",
                value=method.name,
                allowed="methods without corrections",
            )
        training = backbone_unit(study, method, unit.sigma, unit.seed)
        model = module_of(study)
        load_checkpoint(best).load_into(model)
        scaling = study.backbones[training.backbone].scaling
        storage = WeightStorage(cell=cell_model(study, unit.sigma), scaling=scaling)
        masks = write_masks(study, method, model, storage, data, unit.seed)
        seeds = chip_seeds(study, unit.seed)[:CHIPS]
        chips = deploy_all(
            model, storage, seeds, network=study.network, options=study.options, verified=masks
        )
        carrier = make_carrier(model, graph_of(study), rule=study.insertion)
        errors = []
        for chip in chips:
            bare = CorrectedChip(
                chip=chip,
                corrections=(),
                parameters={},
                carrier=carrier,
                storage=storage,
                verify=method.verify,
            )
            used = ChipInUse(corrected=bare, verified=masks, conditions=conditions_of(study))
            source = torch.Generator().manual_seed(chip.seed)
            errors.append(cell_errors(used.held(), chip.wanted, masks, chip.storage, source))
        images = data.validation.spread(RESPONSE_IMAGES)
        with one_thread():
            response = measure_response(model.eval(), images.images.cpu(), images.labels.cpu())
        return cls(study, unit, carrier, chips, errors, data, response)

    def damage(self, study: Study, rows_of: RowsOf) -> Damage:
        """Return what the reads of a chip do to the layers.

        Args:
            study: this one but for what is read.
            rows_of: rows that a study's chip reads together, as mapped.

        Raises:
            ArchsimError: settings or layers that cannot be read.
        """
        spec = cell_spec(study, self.unit.sigma)
        settings = read_settings(study, spec.weight_format)
        ranges = self.data.train.spread(INPUT_IMAGES).images[:RANGE_IMAGES].cpu()
        network = self._network(study, rows_of)
        with one_thread():
            network = network.with_converter(settings.converter, ranges)
        refused = not_a_noise(network) if settings.converter.bits else ""
        images = self.data.train.spread(IMAGES).images.cpu()
        known = self.data.validation.spread(RESPONSE_IMAGES)
        ratios: dict[str, float] = {}
        accuracy = 0.0
        with one_thread():
            for chip, errors in zip(self.chips, self.errors, strict=True):
                read = network.with_errors(errors, chip=chip.seed)
                outputs = layer_outputs(read, images, Noise(chip.seed))
                for name, loss in layer_losses(outputs).items():
                    ratios[name] = ratios.get(name, 0.0) + loss.ratio / len(self.chips)
                found = surrogate_accuracy(
                    read,
                    layer_moments(outputs),
                    known.images.cpu(),
                    known.labels.cpu(),
                    seed=chip.seed,
                )
                accuracy += found / len(self.chips)
        return Damage(ratios, accuracy, refused)

    def _network(self, study: Study, rows_of: RowsOf) -> ReadNetwork:
        """Return the backbone without errors, calibrated once for all converters."""
        known: dict[str, Any] = read_path_settings(study, self.unit.sigma)
        known = {key: value for key, value in known.items() if key != "converter"}
        key = json.dumps(known, sort_keys=True, default=str)
        if key not in self._calibrated:
            unit = method_units(study)[0]
            reader = exact_reader(study, unit, self.carrier, self.chips[0], self.data, rows_of)
            self._calibrated[key] = reader.network
        return self._calibrated[key]
