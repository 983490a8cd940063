"""Unit: the cells of a chip, in one place, and what is said where encodings differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from archsim.config.load import Setting
from archsim.config.resolve import resolve
from archsim.config.study import Study
from archsim.device import (
    ENCODINGS,
    CellSpec,
    WeightFormat,
    assumed_encoding,
    encoding_note,
    program_tensor,
)
from archsim.device.cell_spec import relative_noise
from archsim.errors import ConfigError
from tests.refusals import refused, tells
from tsb.cells.cell_model import CellModel
from tsb.cells.noise import WeightNoise


def spec_of(*overrides: str, **changes: object) -> CellSpec:
    return CellSpec.of_chip(resolve(chip="rram-22nm-neurosim", overrides=overrides), **changes)  # type: ignore[arg-type]


def study_of(**changes: object) -> Study:
    document: dict[str, object] = {
        "name": "s",
        "network": "lenet3",
        "data": "mnist-part",
        "backbones": {"noise": {}},
        "methods": [{"name": "m"}],
    }
    return Study.model_validate(document | changes)


def test_it_is_the_chip() -> None:
    spec = spec_of("chip.precision.bits_per_cell=4", "device.sigma=0.07")
    assert spec.weight_format == WeightFormat(weight_bits=8, bits_per_cell=4, encoding="magnitude")
    assert spec.sigma_of_range == 0.07
    assert spec.device.name == "rram-neurosim"
    assert spec.stored_encoding == "offset"


@pytest.mark.parametrize("stored", ["offset", "differential"])
def test_encoding_that_nobody_names(stored: str) -> None:
    spec = spec_of(f"chip.precision.encoding={stored}")
    assert spec.encoding == assumed_encoding(stored)
    assert spec.encoding_differs == (stored == "offset")
    assert bool(encoding_note(spec.weight_format, stored)) == spec.encoding_differs


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_named_encoding_wins(encoding: str) -> None:
    spec = spec_of(encoding=encoding)
    assert spec.encoding == encoding
    assert spec.encoding_differs == (encoding != "offset")
    assert CellModel.of(spec).encoding == WeightNoise.of(spec).encoding == encoding


def test_bad_encodings_and_spreads() -> None:
    with refused(ConfigError, code="unknown-name", field="encoding", value="offst"):
        spec_of(encoding="offst")
    with refused(ConfigError, code="out-of-range", field="sigma", value=1.5, allowed="0 to 1"):
        spec_of(sigma_of_range=1.5)


def test_the_note_says_how_much_noise_the_stored_encoding_has() -> None:
    spec = spec_of()
    offset = replace(spec.weight_format, encoding="offset")
    # (2^8 - 1) / (2^7 - 1) steps for the same range
    assert relative_noise(offset) / relative_noise(spec.weight_format) == pytest.approx(255 / 127)
    assert spec.stored_noise_ratio == pytest.approx(255 / 127)
    tells(encoding_note(spec.weight_format, "offset"), "2.01")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_training_noise_is_that_of_programmed_cells(encoding: str) -> None:
    """The closed form in training against cells programmed one by one, in every encoding."""
    spec = spec_of("device.sigma_profile.factor=1", encoding=encoding, sigma_of_range=0.05)
    weight = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    done = program_tensor(
        weight,
        name="w",
        device=spec.device.model_copy(
            update={"sigma": spec.device.sigma.model_copy(update={"value": 0.05})}
        ),
        generator=torch.Generator().manual_seed(0),
        chip_seed=0,
        weight_format=spec.weight_format,
    )
    rounded = (weight / done.scale).round() * done.scale
    error = (done.weights.double() - rounded).std()
    assert WeightNoise.of(spec).std(weight)[0].item() == pytest.approx(float(error), rel=0.03)


def test_a_study_takes_from_its_chip_what_it_does_not_say() -> None:
    study = study_of()
    chip = resolve().chip
    assert (study.chip, study.device) == (chip.name, chip.device)
    assert study.bits_per_cell == chip.precision.bits_per_cell
    assert study.weight_bits == chip.precision.weight_bits
    given = study_of(device="pcm", bits_per_cell=1, weight_bits=4)
    resolved = given.resolve(sigma=0.03)
    assert resolved.device.name == "pcm"
    assert resolved.chip.precision.bits_per_cell == 1
    assert resolved.chip.precision.weight_bits == 4
    assert resolved.device.of_range(resolved.device.sigma) == pytest.approx(0.03, rel=1e-15)


def test_a_saved_study_says_all_that_it_took_from_its_chip() -> None:
    saved = study_of().model_dump(mode="json")
    assert saved["device"] == "rram"
    assert Study.model_validate(saved) == study_of()


def test_a_study_of_no_chip() -> None:
    with refused(ConfigError, code="unknown-name", field="chip", value="rram-23nm"):
        study_of(chip="rram-23nm")
    with pytest.raises(ConfigError) as caught:
        study_of(device="stt-mram", bits_per_cell=4).resolve()
    tells(str(caught.value), "chip.precision.bits_per_cell = 4", "'stt-mram'", "1 to 1")


def test_settings_are_values_and_not_texts() -> None:
    sigma = 1 / 7
    settings = study_of().settings(sigma)
    assert Setting("device.sigma", sigma) in settings
    assert study_of().resolve(sigma=sigma).device.sigma.si == sigma
