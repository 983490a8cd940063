"""What every correction of the registry keeps to; a new entry inherits all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import torch
from torch import Tensor, nn

from archsim.errors import ConfigError
from archsim.network import zoo
from archsim.network.load import load_network
from tests.refusals import refused
from tsb.cells.weight_cells import CellModel
from tsb.correction import CORRECTIONS, Carrier, CorrectedChip, make_carrier, parse_corrections
from tsb.correction.base import Correction, Tensors
from tsb.correction.corrected import load_parameters, saved_method
from tsb.correction.needs import Needs, Unpriced, together
from tsb.correction.options import options_of
from tsb.correction.registry import applicable, example
from tsb.program.chip import ProgrammedChip, deploy
from tsb.program.storage import WeightStorage

NETWORKS: dict[str, dict[str, object]] = {
    "lenet3": {},
    "lenet3-bn": {},
    "resnet18-cifar": {"widths": (4, 4, 8, 8)},
}
STORAGE = WeightStorage(
    cell=CellModel(
        sigma=0.2,
        write_model="incremental",
        tolerance=0.043,
        max_pulses=100,
        step_gain=0.055,
        step_sigma=0.02,
    )
)
everyone = pytest.mark.parametrize("name", list(CORRECTIONS))


@dataclass(frozen=True, eq=False, kw_only=True)
class CorrectionCase:
    """A correction on a chip of one network, attached and started."""

    correction: Correction
    carrier: Carrier
    chip: ProgrammedChip
    images: Tensor
    first: dict[str, Tensor]

    def corrected(self) -> CorrectedChip:
        return CorrectedChip(
            chip=self.chip,
            corrections=(self.correction,),
            parameters={f"0.{name}": tensor for name, tensor in self.first.items()},
            carrier=self.carrier,
            storage=STORAGE,
            verify=False,
        )

    def scores(self, tensors: Tensors) -> Tensor:
        scores: Tensor = torch.func.functional_call(
            self.carrier.model, dict(tensors), (self.images,)
        )
        return scores


@cache
def programmed(network: str) -> tuple[nn.Module, ProgrammedChip, Tensor]:
    torch.manual_seed(0)
    model = zoo.build(network, **NETWORKS[network]).eval()
    chip = deploy(model, STORAGE, seed=1, network=network, options=NETWORKS[network])
    return model, chip, torch.randn(8, *model.input_shape)


@cache
def known(network: str) -> tuple[str, ...]:
    model, _, _ = programmed(network)
    return applicable(make_carrier(model, load_network(model, name=network)))


@cache
def cases(name: str) -> tuple[CorrectionCase, ...]:
    return tuple(_cases(name))


def _cases(name: str) -> Iterator[CorrectionCase]:
    for network in NETWORKS:
        if name not in known(network):
            continue
        model, chip, images = programmed(network)
        carrier = make_carrier(model, load_network(model, name=network))
        correction = example(name)
        correction.attach(carrier)
        first = correction.start(carrier, chip.tensors, chip.wanted, images)
        yield CorrectionCase(
            correction=correction, carrier=carrier, chip=chip, images=images, first=first
        )


@everyone
def test_it_applies_to_one_of_the_networks(name: str) -> None:
    assert cases(name)


@everyone
def test_it_is_made_from_its_name_and_options(name: str) -> None:
    options = options_of(CORRECTIONS[name])
    values = {each.name: each.example or 1 for each in options.values()}
    given = ",".join(f"{option}={value}" for option, value in values.items())
    (made,) = parse_corrections(f"{name}:{given}" if given else name)
    assert type(made) is CORRECTIONS[name]
    assert {option: getattr(made, option) for option in options} == values
    if options:
        first, value = next(iter(values.items()))
        rest = {each.name: each.example for each in options.values() if each.is_required}
        (short,) = parse_corrections(f"{name}:{value}", {name: {**rest, first: 99}})
        assert getattr(short, first) == value
    facts: dict[str, Any] = {"code": "unknown-key", "field": f"correction {name}"}
    with refused(ConfigError, **facts, value="no_such_option=1"):
        parse_corrections(f"{name}:no_such_option=1")
    if any(each.is_required for each in options.values()):
        with refused(ConfigError, code="missing-key", field=f"correction {name}", value=ANY):
            parse_corrections(name)


@everyone
def test_it_says_what_it_is(name: str) -> None:
    own = CORRECTIONS[name]
    said = [own.name, own.description, *(case.correction.words() for case in cases(name))]
    said += [option.description for option in options_of(own).values()]
    assert all(text and text == text.strip(" .") and "\n" not in text for text in said)
    assert own.citation is None or re.search(r"(19|20)\d\d|arXiv \d{4}\.\d", own.citation)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", own.name)


@everyone
def test_it_says_what_it_costs(name: str) -> None:
    """What lies in cells, multiplies or writes again has a price, or a reason why it has none."""
    for case in cases(name):
        own, needs = case.correction, case.correction.hardware()
        assert needs.words()
        if isinstance(needs, Unpriced):
            assert together({name: needs}).unpriced
            continue
        assert isinstance(needs, Needs)
        assert not own.in_cells or needs.block is not None or needs.rewritten_layers
        assert needs.rewritten_layers == len(own.replaced())
        registers = needs.digital or needs.presumed
        assert own.in_cells or registers is not None
        if own.digital_products(case.carrier):
            assert registers is not None
            assert registers.scales
        if needs.block is not None:
            assert own.macs(case.carrier) > 0


@everyone
def test_correcting_keeps_names_shapes_and_what_it_was_given(name: str) -> None:
    for case in cases(name):
        assert case.first
        before = {n: t.clone() for n, t in case.chip.tensors.items()}
        parameters = {n: t.clone() for n, t in case.first.items()}
        corrected = case.correction.apply(case.chip.tensors, case.first)
        again = case.correction.apply(case.chip.tensors, case.first)
        shapes = {n: t.shape for n, t in case.carrier.model.state_dict().items()}
        assert {n: t.shape for n, t in corrected.items()}.items() <= shapes.items()
        assert set(before) <= set(corrected)
        for tensors, expected in (
            (again, corrected),
            (case.chip.tensors, before),
            (case.first, parameters),
        ):
            assert list(tensors) == list(expected)
            assert all(torch.equal(tensors[n], expected[n]) for n in expected)
        assert torch.isfinite(case.scores(corrected)).all()


@everyone
def test_first_parameters_are_the_identity_where_it_says_so(name: str) -> None:
    for case in cases(name):
        corrected = case.correction.apply(case.chip.tensors, case.first)
        same = all(torch.equal(corrected[n], case.chip.tensors[n]) for n in case.chip.tensors)
        assert same is case.correction.starts_as_identity
        if same and set(corrected) == set(case.chip.tensors):
            torch.testing.assert_close(case.scores(corrected), case.scores(case.chip.tensors))


@everyone
def test_what_is_trained_has_gradients(name: str) -> None:
    for case in cases(name):
        if not case.correction.trained:
            continue
        moving = {n: t.clone().requires_grad_() for n, t in case.first.items()}
        corrected = case.correction.apply(case.chip.tensors, moving)
        case.scores(corrected).square().sum().backward()
        # A factor that starts at zero hides the gradient of the other one.
        assert any(t.grad is not None and bool(t.grad.any()) for t in moving.values())


@everyone
def test_what_lies_in_cells_is_counted_and_written(name: str) -> None:
    for case in cases(name):
        chip = case.corrected()
        numbers = sum(tensor.numel() for tensor in case.first.values())
        in_cells = numbers if case.correction.in_cells else 0
        assert (chip.written_weights, chip.digital_parameters) == (in_cells, numbers - in_cells)
        source = torch.Generator().manual_seed(0)
        one, other = chip.write(source), chip.write(source)
        assert list(one) == list(chip.parameters if case.correction.in_cells else {})
        differs = any(not torch.equal(one[n], other[n]) for n in one)
        assert differs is case.correction.in_cells


@everyone
def test_saved_parameters_come_back(name: str, tmp_path: Path) -> None:
    for place, case in enumerate(cases(name)):
        path = tmp_path / f"{place}.safetensors"
        chip = case.corrected()
        chip.save(path, method=name)
        assert saved_method(path) == (name, False)
        loaded = load_parameters(path, case.chip, name)
        assert loaded.keys() == chip.parameters.keys()
        assert all(torch.equal(loaded[n], t) for n, t in chip.parameters.items())
