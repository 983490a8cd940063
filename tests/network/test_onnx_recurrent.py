"""Unit: recurrent ONNX operators have the arguments of PyTorch's."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import ANY

import numpy
import pytest
from onnx import helper

from archsim.errors import NetworkError
from archsim.network.frontend.call import Weight
from tests.network.onnx_models import calls, one, random
from tests.refusals import refused

node = helper.make_node


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_recurrent_layers_have_pytorch_s_arguments(
    op: str, gates: int, direction: str, tmp_path: Path
) -> None:
    n = 2 if direction == "bidirectional" else 1
    tensors = {
        "W": random(n, gates * 4, 6),
        "R": random(n, gates * 4, 4),
        "B": random(n, 2 * gates * 4),
    }
    layer = node(
        op, ["x", "W", "R", "B"], ["z", "y"], hidden_size=4, direction=direction, name="rnn"
    )
    proto = one(layer, tensors, (7, 1, 6), outputs=("y",))
    call, part = calls(tmp_path, proto, (7, 1, 6))
    assert call.op == {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_tanh"}[op]
    assert call.shape == (7, 1, n * 4)
    weights = call.args["params"]
    assert isinstance(weights, tuple)
    assert [w.name for w in weights[:4]] == [
        f"rnn.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    assert [w.shape for w in weights[:4]] == [
        (gates * 4, 6),
        (gates * 4, 4),
        (gates * 4,),
        (gates * 4,),
    ]
    assert len(weights) == 4 * n
    assert sum(w.elements for w in weights) == sum(t.size for t in tensors.values())
    assert (call.args["bidirectional"], call.args["batch_first"]) == (n == 2, False)
    assert (part.op, part.shape) == ("getitem", (n, 1, 4))


def test_layers_of_one_module_are_numbered(tmp_path: Path) -> None:
    first = node("RNN", ["x", "W", "R"], ["a"], hidden_size=4, name="/rnn/RNN")
    flat = node("Squeeze", ["a", "one"], ["b"])
    second = node("RNN", ["b", "W2", "R2"], ["y"], hidden_size=4, name="/rnn/RNN_1")
    tensors = {"W": random(1, 4, 6), "R": random(1, 4, 4), "W2": random(1, 4, 4)}
    tensors |= {"R2": random(1, 4, 4), "one": numpy.array([1])}
    proto = one(first, tensors, (7, 1, 6))
    proto.graph.node.extend([flat, second])
    names = [
        [weight.name for weight in call.operands if isinstance(weight, Weight)]
        for call in calls(tmp_path, proto, (7, 1, 6))
        if call.op == "rnn_tanh"
    ]
    assert names == [[f"rnn.weight_{x}_l{i}" for x in ("ih", "hh")] for i in (0, 1)]


def test_what_pytorch_s_lack_is_refused(tmp_path: Path) -> None:
    tensors = {"W": random(1, 16, 6), "R": random(1, 16, 4), "P": random(1, 12)}
    inputs = ["x", "W", "R", "", "", "", "", "P"]
    with refused(NetworkError, code="unsupported-operator", field=ANY, value="P", says=["LSTM"]):
        calls(
            tmp_path, one(node("LSTM", inputs, ["y"], hidden_size=4), tensors, (7, 1, 6)), (7, 1, 6)
        )
