"""A trained network on chips: laws of programming in a stream, and of repairs without labels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archsim.config.resolve import resolve
from archsim.device import CellSpec
from archsim.errors import ConfigError, DataError
from archsim.network.load import load_module
from tests.refusals import refused
from tsb.cells.programmable import programmable
from tsb.cells.quantize import quantise
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import CellModel
from tsb.data import load_dataset
from tsb.metric.registry import TASK_METRICS
from tsb.pretrained.layers import channel_axis, product_layers
from tsb.pretrained.measure import Measured, MeasureSettings, _cells, measure, put
from tsb.pretrained.ranges.registry import RANGE_RULES
from tsb.pretrained.repair.apply import repaired, wanted_moments
from tsb.pretrained.repair.base import ChannelMoments
from tsb.pretrained.repair.registry import REPAIRS, repairs_named
from tsb.program.chip import deploy
from tsb.program.chip_read import DRIFT_SEED, Conditions, Drift
from tsb.program.compensation.registry import REGISTRY
from tsb.program.storage import WeightStorage
from tsb.write_verify.selective import verify_none

CHIP = "rram-22nm-neurosim"
IMAGES = load_dataset("mnist-part").train.spread(24).images


def storage(scaling: str = "tensor", sigma: float = 0.1, **changes: float) -> WeightStorage:
    cell = CellModel.of(CellSpec.of_chip(resolve(chip=CHIP), sigma_of_range=sigma))
    return WeightStorage(cell=cell.__class__(**{**vars(cell), **changes}), scaling=scaling)


def network(name: str = "lenet3-bn") -> nn.Module:
    torch.manual_seed(2)
    return programmable(load_module(name), network=name).model


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in mapped_weights(model).items()}


@pytest.mark.parametrize("scaling", ["tensor", "column"])
@pytest.mark.parametrize("changes", [{}, {"stuck_off_rate": 0.02, "stuck_on_rate": 0.01}])
def test_a_stream_writes_what_deploy_writes(scaling: str, changes: dict[str, float]) -> None:
    model, how = network(), storage(scaling, **changes)
    chip = deploy(model, how, seed=7)
    weights = weights_of(model)
    masks = verify_none(weights)
    streamed = dict(how.stream(weights, masks, torch.Generator().manual_seed(7)))
    assert list(streamed) == list(chip.stored)
    for name, tensor in chip.stored.items():
        torch.testing.assert_close(streamed[name], tensor, rtol=0, atol=0)


def outputs_of(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Outputs of all layers on crossbars, behind whatever repairs them."""
    found: dict[str, Tensor] = {}
    layers = product_layers(model)
    handles = [
        layer.register_forward_hook(lambda _, __, out, name=name: found.setdefault(name, out))
        for name, layer in layers.items()
    ]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("name", ["output-match", "bias-correction"])
def test_repaired_channels_have_the_moments_of_the_clean_network(name: str) -> None:
    model, how = network(), storage(sigma=0.2)
    layers, weights = product_layers(model), weights_of(model)
    wanted = wanted_moments(model, layers, IMAGES)
    put(model, how.stream(weights, verify_none(weights), torch.Generator().manual_seed(0)))
    broken = outputs_of(model, IMAGES)
    with repaired(model, layers, wanted, IMAGES, repairs_named(name)):
        mended = outputs_of(model, IMAGES)
    for layer, outputs in mended.items():
        found = ChannelMoments.of(outputs, channel_axis(layers[layer]))
        close = {"rtol": 1e-4, "atol": 1e-4}
        torch.testing.assert_close(found.mean, wanted[layer].mean, **close)
        if name == "output-match":
            torch.testing.assert_close(found.std, wanted[layer].std, **close)
    again = outputs_of(model, IMAGES)
    assert all(again[layer].equal(broken[layer]) for layer in broken)  # given back as it was


def test_recalibrated_norms_give_what_norms_in_training_give() -> None:
    model = network()
    layers, weights = product_layers(model), weights_of(model)
    source = torch.Generator().manual_seed(0)
    put(model, storage(sigma=0.3).stream(weights, verify_none(weights), source))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        model.train()
        expected = model(IMAGES)
        model.load_state_dict(before)
        model.eval()
        with repaired(model, layers, {}, IMAGES, repairs_named("batch-norm")):
            torch.testing.assert_close(model(IMAGES), expected, rtol=1e-4, atol=1e-4)
    after = model.state_dict()
    assert all(after[name].equal(tensor) for name, tensor in before.items())


def test_a_channel_that_is_constant_on_the_chip_stays_finite() -> None:
    wanted = ChannelMoments(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.5]))
    found = ChannelMoments(torch.tensor([3.0, 3.0]), torch.tensor([0.0, 1.0]))
    scale, shift = REPAIRS["output-match"].numbers(wanted, found)  # type: ignore[attr-defined]
    assert scale.tolist() == [1.0, 0.5]
    assert (scale * found.mean + shift).tolist() == [1.0, 2.0]


def settings(**changes: object) -> MeasureSettings:
    usual: dict[str, object] = {
        "input_bits": 8, "signed_inputs": "zero-point", "rule": RANGE_RULES["max"], "chips": 2,
        "calibration": 24, "batch": 40,
    }  # fmt: skip
    return MeasureSettings(**{**usual, **changes})  # type: ignore[arg-type]


def test_measured_without_errors_all_stages_are_one() -> None:
    """Sixteen bits and no spread: rounding and programming change no class."""
    model, data = network("lenet3"), load_dataset("mnist-part").with_test(60)
    before = weights_of(model)
    perfect = storage(sigma=0.0, weight_bits=16)
    masks = verify_none(before)
    repairs = repairs_named("output-match")
    found = measure(
        model, data, TASK_METRICS["top-1"], perfect, masks,
        settings(input_bits=16, repairs=repairs),
    )  # fmt: skip
    with torch.no_grad():
        right = (model(data.test.images).argmax(1) == data.test.labels).double().mean()
    assert found.real == pytest.approx(float(right))
    assert {found.fixed, *found.chips, *found.repaired} == {found.real}
    assert all(weight.equal(before[name]) for name, weight in mapped_weights(model).items())
    assert found.unrounded == ()


def test_batches_and_chips_do_not_change_what_is_measured() -> None:
    model, data = network("lenet3"), load_dataset("mnist-part").with_test(60)
    masks = verify_none(weights_of(model))
    args = (model, data, TASK_METRICS["perplexity"], storage(), masks)
    one = measure(*args, settings(batch=7))
    other = measure(*args, settings(batch=60, seed=1, chips=1))
    assert one.chips[1] == pytest.approx(other.chips[0], rel=1e-6)
    assert one.chips[0] != pytest.approx(one.chips[1], rel=1e-3)


def test_drift_of_a_chip_is_that_of_the_chip_in_use() -> None:
    """Calibrated right after programming nothing is compensated; repairs come on top."""
    model, data = network("lenet3"), load_dataset("mnist-part").with_test(30)
    device = resolve(device="pcm").device
    spec = CellSpec.of_chip(resolve(chip=CHIP, device="pcm"), sigma_of_range=0.05)
    own, masks = WeightStorage(cell=CellModel.of(spec)), verify_none(weights_of(model))

    def found(drift: Drift | None) -> Measured:
        return measure(
            model, data, TASK_METRICS["perplexity"], own, masks,
            settings(
                conditions=Conditions(drift=drift), repairs=repairs_named("output-match"), chips=1
            ),
        )  # fmt: skip

    how = REGISTRY["layer"]
    late = Drift.of_device(device, 3e7, compensation=how)
    early = Drift.of_device(device, 3e7, compensation=how, measured_s=0.0)
    at_once, later, too_early = found(None), found(late), found(early)
    assert at_once.drifted == at_once.compensated == ()
    assert later.chips == too_early.chips == at_once.chips
    assert later.drifted == too_early.drifted != later.chips
    assert too_early.compensated == pytest.approx(too_early.drifted, rel=1e-5)
    assert later.repaired != too_early.repaired
    used = Conditions(drift=late).later(
        dict(own.stream(weights_of(model), masks, torch.Generator().manual_seed(0))),
        {name: quantise(weight) for name, weight in weights_of(model).items()},
        masks, own, torch.Generator().manual_seed(DRIFT_SEED),
    )  # fmt: skip
    cells = dict(_cells(weights_of(model), masks, own, 0, Conditions(drift=late)))
    assert all(cells[name].equal(weight) for name, weight in used.items())


def test_repairs_that_cannot_be_used() -> None:
    with refused(ConfigError, code="unknown-name", field="repair (--repair)", value="tsb"):
        repairs_named("tsb")
    for text in ("batch-norm+batch-norm", "output-match+bias-correction", "none+batch-norm"):
        with refused(ConfigError, code="conflict", field="repair (--repair)", value=text):
            repairs_named(text)
    model, data = network("lenet3"), load_dataset("mnist-part").with_test(20)
    with refused(DataError, code="unsupported", field="repair (--repair)", value="batch-norm"):
        measure(
            model, data, TASK_METRICS["top-1"], storage(), verify_none(weights_of(model)),
            settings(repairs=repairs_named("batch-norm")),
        )  # fmt: skip
    assert [repair.name for repair in repairs_named("batch-norm+output-match")] == [
        "batch-norm",
        "output-match",
    ]


@pytest.mark.parametrize("repair", REPAIRS.values(), ids=lambda repair: repair.name)
def test_every_repair_declares_itself(repair: object) -> None:
    assert all(getattr(repair, name) for name in ("name", "description", "needs", "source"))
