"""From an ONNX file to a layer graph; nothing in the file is executed."""

from __future__ import annotations

from pathlib import Path

from archsim.errors import NetworkError
from archsim.network.frontend.assemble import assemble
from archsim.network.frontend.beforehand import beforehand
from archsim.network.frontend.onnx_file import first_line, printable, refused, require_onnx
from archsim.network.frontend.onnx_inputs import Shapes, input_shapes
from archsim.network.graph import LayerGraph

#: Longest message about the inside of a file, in characters.
_LONGEST = 1500


def trace_onnx(
    path: str | Path, input_shape: Shapes | None = None, *, name: str | None = None
) -> LayerGraph:
    """Read the ONNX model at ``path`` as the layer graph of one input.

    Operator sets from 7 on are read, those before 11 through ONNX's version converter. Weights are
    not: shapes are all that counts, so external data need not be there. A batch axis that may vary
    becomes 1. Quantised models (QDQ, integer operators, those of ONNX Runtime and QONNX) are read
    as the layers that they quantise.

    Args:
        path: The file.
        input_shape: Shape of one input without the batch axis, where the file leaves axes open; of
            several inputs by their names. For a model whose first axis is no batch: the whole
            shape.
        name: Name of the network; that of the file without ``.onnx`` if not given.

    Raises:
        NetworkError: The package ``onnx`` is missing; the file is missing, damaged, too large or
            not valid, its operator set is not supported, its external data lies outside its folder,
            a shape is missing or absurd, or a matrix layer cannot be mapped.
    """
    path = Path(path)
    name = name or path.name.removesuffix(path.suffix)
    require_onnx(name)
    try:
        return _read(path, name, input_shape)
    except NetworkError as error:
        text = str(error)
        if str(path) in text:
            raise
        said = f"ONNX file '{path}': {printable(text, _LONGEST)}"
        raise NetworkError.retold(error, said) from error
    except Exception as error:
        raise refused(
            path,
            f"cannot be read ({type(error).__name__}: {first_line(error)}); it is damaged, or has "
            "an operator in a form that archsim does not know",
        ) from error


def _read(path: Path, name: str, input_shape: Shapes | None) -> LayerGraph:
    from archsim.network.frontend.onnx_model import read_model
    from archsim.network.frontend.onnx_operators import translate, unread
    from archsim.network.frontend.onnx_walk import parameters, walk
    from archsim.network.frontend.onnx_weights import refuse_weights_as_inputs

    model = read_model(path)
    refuse_weights_as_inputs(model)
    shapes, sizes = input_shapes(model.inputs, input_shape)
    trace = walk(model, shapes, sizes, translate, unread)
    first = trace.inputs[0].shape
    one = first[1:] if first[:1] == (1,) else first
    constant = beforehand(trace.constant)
    ops = assemble(trace)
    return LayerGraph.from_ops(name, one, ops, parameters(trace), constant, model.notes)
