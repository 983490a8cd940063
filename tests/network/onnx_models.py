"""Small ONNX models for the tests of the reader, written node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from archsim.network import LayerGraph, load_network
from archsim.network.frontend.call import Call
from archsim.network.frontend.onnx_inputs import input_shapes
from archsim.network.frontend.onnx_model import read_model
from archsim.network.frontend.onnx_operators import translate
from archsim.network.frontend.onnx_walk import walk

Shape = Sequence[int | str | None] | None


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    tensors: Mapping[str, numpy.ndarray] | None = None,
    *,
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
    **options: object,
) -> onnx.ModelProto:
    """A model of ``nodes``; inputs are float32."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        initializer=[numpy_helper.from_array(v, n) for n, v in (tensors or {}).items()],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, **{"opset_imports": imports, "ir_version": 8, **options})


def random(*shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(0).standard_normal(shape).astype(numpy.float32)


def one(
    node: onnx.NodeProto,
    tensors: Mapping[str, numpy.ndarray],
    shape: Shape = (1, 3, 8, 8),
    **options: object,
) -> onnx.ModelProto:
    """A model of one node that reads ``x``."""
    return model([node], {"x": shape}, tensors, **options)  # type: ignore[arg-type]


def saved(folder: Path, proto: onnx.ModelProto, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(proto.SerializeToString())
    return path


def read(folder: Path, proto: onnx.ModelProto, **options: object) -> LayerGraph:
    return load_network(str(saved(folder, proto)), **options)  # type: ignore[arg-type]


def exported(
    path: Path, module: nn.Module, example: torch.Tensor, *, dynamo: bool, **options: object
) -> Path:
    """``module`` exported by PyTorch."""
    import warnings

    given = {"opset_version": 17} if not dynamo else {"verbose": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(module.eval(), (example,), path, dynamo=dynamo, **{**given, **options})
    return path


def calls(folder: Path, proto: onnx.ModelProto, shape: Sequence[int] | None = None) -> list[Call]:
    """The calls of a model, whether archsim can map them or not."""
    found = read_model(saved(folder, proto))
    shapes, sizes = input_shapes(found.inputs, shape)
    return list(walk(found, shapes, sizes, translate).calls)
