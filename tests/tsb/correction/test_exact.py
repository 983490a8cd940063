"""Corrected chips read exactly: what every correction does then is what folding it says."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from archsim.errors import Code, ConfigError
from tests.refusals import refused
from tests.tsb.correction.test_conformance import STORAGE, CorrectionCase, cases
from tsb.correction import CORRECTIONS, CorrectedChip
from tsb.correction.corrected import apply_all, start_all
from tsb.correction.exact import ExactReader
from tsb.correction.on_read import Unread
from tsb.correction.read_tuning import ReadTuning
from tsb.correction.used import ChipInUse
from tsb.program.chip_read import Conditions
from tsb.program.storage import WeightStorage
from tsb.read_path.settings import Converter, ReadSettings
from tsb.write_verify.selective import verify_none

#: Nothing is rounded but inputs, to 16 bits; with a zero point it would be read with errors too.
FINE = {"input_bits": 16, "converter": Converter(bits=0), "signed_inputs": "two-pass"}


def perturbed(case: CorrectionCase) -> CorrectionCase:
    """The case with parameters that are not the first ones."""
    source = torch.Generator().manual_seed(5)
    first = {
        name: value + 0.02 * torch.rand(value.shape, generator=source)
        for name, value in case.first.items()
    }
    return CorrectionCase(
        correction=case.correction,
        carrier=case.carrier,
        chip=case.chip,
        images=case.images,
        first=first,
    )


def reader(case: CorrectionCase, **settings: object) -> ExactReader:
    form = case.chip.storage.cell.weight_format
    return ExactReader.of_backbone(
        case.carrier,
        case.chip,
        ReadSettings(weight_format=form, **settings),  # type: ignore[arg-type]
        {},
        4 * case.images,  # room for what the errors of cells add
    )


def corrected(case: CorrectionCase) -> CorrectedChip:
    """The case; a block behind a ReLU is written without errors.

    With some it gives negative numbers, which the codes of inputs that are never negative cut off.
    """
    if not getattr(case.correction, "hooked", False):
        return case.corrected()
    return replace(case.corrected(), storage=WeightStorage(cell=STORAGE.cell.but(sigma=0.0)))


def in_use(case: CorrectionCase) -> ChipInUse:
    return ChipInUse(
        corrected=corrected(case),
        verified=verify_none(case.chip.wanted),
        conditions=Conditions(),
    )


def source() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def folded(case: CorrectionCase) -> Tensor:
    return case.scores(corrected(case).draw(source())).detach()


def spread(scores: Tensor) -> float:
    return float(scores.std())


def readable(name: str) -> list[CorrectionCase]:
    """Cases of a correction that can be read."""
    return [
        perturbed(case)
        for case in cases(name)
        if not isinstance(case.correction.on_read(case.first), Unread)
    ]


READABLE = [name for name in CORRECTIONS if readable(name)]


@pytest.mark.parametrize("name", READABLE)
def test_without_converters_a_correction_is_what_it_was_folded_to(name: str) -> None:
    for case in readable(name):
        read = reader(case, **FINE).chip(in_use(case))(case.images, source(), 0)
        wanted = folded(case)
        error = float((read - wanted).abs().max()) / spread(wanted)
        assert error < 1e-2, (case.carrier.layers.name, error)


@pytest.mark.parametrize("name", ["tsb", "scales"])
def test_a_correction_that_did_nothing_would_be_seen(name: str) -> None:
    (case, *_) = readable(name)
    plain = case.scores(case.chip.tensors).detach()
    assert float((folded(case) - plain).abs().max()) > 0.02 * spread(plain)


def test_what_cannot_be_read_is_refused_by_name() -> None:
    unread = [name for name in CORRECTIONS if name not in READABLE]
    assert unread
    for name in unread:
        (case, *_) = cases(name)
        with refused(ConfigError, code=Code.UNSUPPORTED, field="read_path", value=name):
            reader(case, **FINE).chip(in_use(case))


def test_a_coarse_converter_is_felt() -> None:
    (case, *_) = readable("biases")
    fine = reader(case, **FINE).chip(in_use(case))(case.images, source(), 0)
    coarse = reader(case, converter=Converter(bits=3, range="full-scale"))
    read = coarse.chip(in_use(case))(case.images, source(), 0)
    assert float((read - fine).abs().max()) > 0.1 * spread(fine)
    assert coarse.about()["mode"] == "exact"


def test_runs_write_anew_and_a_seed_repeats_them() -> None:
    (case, *_) = readable("tsb")
    labels = torch.zeros(len(case.images), dtype=torch.long)
    exact = reader(case)
    tables = [
        exact.measure([in_use(case)], case.images, labels, runs=3, seed=seed).accuracy
        for seed in (1, 1)
    ]
    assert torch.equal(*tables)
    assert tables[0].shape == (1, 3)
    read = exact.chip(in_use(case))
    generator = source()
    assert not torch.equal(read(case.images, generator, 0), read(case.images, generator, 1))


def gradients(case: CorrectionCase, read: ReadTuning | None) -> tuple[Tensor, dict[str, Tensor]]:
    """Scores of a chip and gradients of its parameters, with or without a read path."""
    parameters = {f"0.{name}": value.clone().requires_grad_() for name, value in case.first.items()}
    tensors = apply_all([case.correction], case.chip.tensors, parameters)
    if read is None:
        scores = case.scores(tensors)
    else:
        scores = read.scores(0, [case.correction], parameters, parameters, tensors, case.images)
    torch.nn.functional.cross_entropy(scores, torch.arange(len(scores)) % 10).backward()
    return scores.detach(), {n: p.grad for n, p in parameters.items() if p.grad is not None}


@pytest.mark.parametrize("name", ["tsb", "biases", "scales", "last-layers"])
def test_straight_through_gradients_without_rounding_are_those_of_the_plain_product(
    name: str,
) -> None:
    (case, *_) = readable(name)
    masks = verify_none(case.chip.wanted)
    read = reader(case, **FINE).tuning([case.chip], masks, case.chip.storage, verify=True)
    scores, wanted = gradients(case, None)
    read_scores, found = gradients(case, read)
    assert float((read_scores - scores).abs().max()) < 1e-2 * spread(scores)
    assert found.keys() == wanted.keys()
    for key, gradient in wanted.items():  # rounding turns a maximum of a pooling here and there
        assert float((found[key] - gradient).norm()) < 5e-2 * float(gradient.norm())


def test_tuning_sees_the_converter() -> None:
    (case, *_) = readable("tsb")
    coarse = reader(case, converter=Converter(bits=3, range="full-scale"))
    read = coarse.tuning([case.chip], verify_none(case.chip.wanted), case.chip.storage, verify=True)
    scores, _ = gradients(case, None)
    read_scores, found = gradients(case, read)
    assert float((read_scores - scores).abs().max()) > 0.1 * spread(scores)
    assert all(bool(torch.isfinite(gradient).all()) for gradient in found.values())


@pytest.mark.parametrize("name", ["tsb", "scales", "biases", "last-layers"])
def test_what_is_trained_on_is_what_the_chip_reads(name: str) -> None:
    (case, *_) = readable(name)
    exact = reader(case, converter=Converter(bits=5))
    storage = WeightStorage(cell=STORAGE.cell.but(sigma=0.0))
    repaired = replace(case.corrected(), storage=storage)
    used = replace(in_use(case), corrected=repaired)
    wanted = exact.chip(used)(case.images, source(), 0)
    parameters = {f"0.{key}": value for key, value in case.first.items()}
    written = parameters | repaired.write(source())
    tuning = exact.tuning([case.chip], verify_none(case.chip.wanted), storage, verify=True)
    tensors = apply_all([case.correction], case.chip.tensors, written)
    found = tuning.scores(0, [case.correction], parameters, written, tensors, case.images)
    assert float((found - wanted).abs().max()) < 1e-3 * spread(wanted)


def test_batch_norms_and_matched_outputs_are_measured_on_what_the_chip_reads() -> None:
    for name in ("batch-norm", "output-match"):
        (case, *_) = readable(name)
        coarse = reader(case, converter=Converter(bits=3, range="full-scale"))
        masks = verify_none(case.chip.wanted)
        tuning = coarse.tuning([case.chip], masks, case.chip.storage, verify=True)
        start = partial(start_all, [case.correction], case.carrier, case.chip, case.images)
        plain, read = start(), start(reading=partial(tuning.reading, 0))
        assert any(float((read[key] - plain[key]).abs().max()) > 1e-2 for key in plain)
        if name == "batch-norm":
            layer, *_ = tuning.networks[0].layers.values()
            module = case.carrier.model.get_submodule(layer.name.removesuffix(".weight"))
            products = layer.scaled(module, case.images)
            mean = next(value for key, value in read.items() if key.endswith("running_mean"))
            bias = 0.0 if module.bias is None else module.bias
            wanted = (products.mean((0, 2, 3)) + bias).float()
            assert float((mean - wanted).abs().max()) < 1e-3 * float(wanted.abs().max())
