"""Unit: one matrix layer, its derived numbers and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.errors import NetworkError
from archsim.network import LayerKind, MvmLayer, Pool, PoolKind
from tests.refusals import refused


def conv(**changes: object) -> MvmLayer:
    """A 3x3 convolution of stride 2 from 6 to 8 channels in 2 groups on a 9x7 map."""
    fields: dict[str, object] = {
        "name": "conv",
        "kind": LayerKind.CONV,
        "in_height": 9,
        "in_width": 7,
        "in_channels": 6,
        "kernel_h": 3,
        "kernel_w": 3,
        "out_channels": 8,
        "stride_h": 2,
        "stride_w": 2,
        "padding_h": 1,
        "padding_w": 1,
        "groups": 2,
        "bias": True,
        "out_height": 5,
        "out_width": 4,
        "mvms": 20,
    }
    return MvmLayer(**(fields | changes))  # type: ignore[arg-type]


def test_derived_numbers_by_hand() -> None:
    layer = conv()
    assert layer.weight_rows == 6 // 2 * 9
    assert layer.weight_cols == 8
    assert layer.weights == 27 * 8
    assert layer.biases == 8
    assert layer.macs == 20 * 27 * 8


def test_no_bias_no_biases() -> None:
    assert conv(bias=False).biases == 0


def test_linear_on_tokens_is_a_1x1_convolution() -> None:
    layer = MvmLayer(
        name="fc",
        kind=LayerKind.LINEAR,
        in_width=5,
        in_channels=16,
        out_channels=4,
        out_width=5,
        mvms=5,
    )
    assert (layer.weight_rows, layer.weight_cols, layer.macs) == (16, 4, 5 * 64)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("in_height", 0, "1 or more"),
        ("out_channels", -8, "1 or more"),
        ("stride_w", 0, "1 or more"),
        ("dilation_h", 0, "1 or more"),
        ("padding_w", -1, "0 or more"),
        ("mvms", 0, "1 or more"),
        ("groups", 4, "a multiple of groups = 4"),
        ("out_height", 9, "5"),
        ("mvms", 21, "multiple of 5 x 4"),
    ],
)
def test_refusal_names_layer_field_value_and_range(field: str, value: int, allowed: str) -> None:
    # Groups are not judged: there the channels are what does not divide.
    about = {"groups": ("in_channels", 6)}.get(field, (field, value))
    facts: dict[str, Any] = {"code": "out-of-range", "field": about[0], "value": about[1]}
    with refused(NetworkError, **facts, allowed=allowed, says=["'conv':", about[0]]):
        conv(**{field: value})


def test_a_layer_needs_a_name() -> None:
    with refused(NetworkError, code="missing-key", field="name"):
        conv(name="")


def test_pool() -> None:
    pool = Pool(kind=PoolKind.MAX, kernel=(2, 2), stride=(2, 2), out_size=(2, 2))
    assert str(pool) == "max 2x2/2"
    facts: dict[str, Any] = {"code": "out-of-range", "says": ["pool:"]}
    with refused(NetworkError, field="stride", value=0, allowed="1 or more", **facts):
        Pool(kind=PoolKind.AVG, kernel=(2, 2), stride=(0, 2), out_size=(2, 2))
    with refused(NetworkError, field="padding", value=-1, allowed="0 or more", **facts):
        Pool(kind=PoolKind.AVG, kernel=(2, 2), stride=(2, 2), padding=(-1, 0), out_size=(2, 2))
