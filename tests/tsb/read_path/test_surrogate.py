"""A network whose layers lose what reads do, output by output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.tsb.read_path.test_damage import IMAGES, Layers, network
from tsb.read_path.damage import layer_outputs
from tsb.read_path.response import Response
from tsb.read_path.surrogate import OutputLoss, layer_moments, surrogate_accuracy


def test_what_loses_nothing_changes_nothing() -> None:
    read = network(Layers(), bits=0)
    labels = read.model(IMAGES).argmax(-1)
    moments = layer_moments(layer_outputs(read, IMAGES))
    assert moments["fc.weight"].gain == pytest.approx(1.0, abs=2e-2)
    assert surrogate_accuracy(read, moments, IMAGES, labels) == 1.0


def test_a_shift_that_all_outputs_share_costs_no_accuracy_and_one_of_an_output_does() -> None:
    read = network(Layers(), bits=0)
    labels = read.model(IMAGES).argmax(-1)
    moments = layer_moments(layer_outputs(read, IMAGES))
    fc = moments["fc.weight"]
    shared = replace(fc, bias=fc.bias + 10)
    assert surrogate_accuracy(read, {**moments, "fc.weight": shared}, IMAGES, labels) == 1.0
    own = replace(fc, bias=fc.bias + 10 * np.eye(5)[int(labels.mode().values) - 1])
    assert surrogate_accuracy(read, {**moments, "fc.weight": own}, IMAGES, labels) < 0.9


def test_errors_of_cells_are_gain_and_shift_of_outputs() -> None:
    read = network(Layers(), bits=0)
    shape = read.model.get_parameter("fc.weight").shape
    errors = {"fc.weight": torch.full((*shape, 2, 4), 0.0, dtype=torch.float64)}
    errors["fc.weight"][2, :, 0] = 0.5  # the third output has cells that hold too much
    found = layer_moments(layer_outputs(read.with_errors(errors), IMAGES))["fc.weight"]
    assert isinstance(found, OutputLoss)
    assert found.bias[2] > 3 * np.abs(np.delete(found.bias, 2)).max()


def test_the_level_of_an_accuracy_is_where_the_response_has_it() -> None:
    response = Response((0.0, 0.1, 1.0), (0.95, 0.9, 0.2), {"fc.weight": 1.0}, 100)
    for level in (0.05, 0.3, 0.8):
        assert response.level_of(response.at(level)) == pytest.approx(level)
    assert (response.level_of(0.99), response.level_of(0.1)) == (0.0, pytest.approx(1.0))


def test_outputs_scatter_together_where_they_are_read_together() -> None:
    source = np.random.default_rng(0)
    wanted = source.standard_normal((20_000, 3))
    rest = source.standard_normal((20_000, 1)) * np.array([1.0, 1.0, -2.0])
    found = OutputLoss.of(1.5 * wanted + rest, wanted)
    assert found.gain == pytest.approx(1.5, abs=0.05)
    covariance = found.root @ found.root.T
    expected = np.outer([1.0, 1.0, -2.0], [1.0, 1.0, -2.0])
    assert covariance == pytest.approx(expected, abs=0.1)
