"""Files of other formats that are given as a network: what each is, and what to do with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from archsim.errors import Code, NetworkError
from archsim.network import zoo

_FUNCTION = "give package.module:function, a function of yours that returns the model"
_SAVED = (
    "a file of PyTorch: weights, or a model that only its own code can open, and opening it may "
    f"run code, so archsim does not; {_FUNCTION} with the weights loaded into it"
)
_TORCH_TO_ONNX = "or export it with torch.onnx.export and give the .onnx file"
_TENSORFLOW = "convert it with tf2onnx (python -m tf2onnx.convert) and give the .onnx file"
_NO_LAYERS = "weights alone, without the layers that they belong to"
_TEXT = "archsim reads layers as rows of numbers from a .csv file"

#: Ending of a file: what it is, and the way in.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin", ".pkl"), f"{_SAVED}, {_TORCH_TO_ONNX}"),
        ".pt2": "an exported program of PyTorch; in a function of yours, return "
        f"torch.export.load(FILE), and give that as package.module:function, {_TORCH_TO_ONNX}",
        **dict.fromkeys(
            (".ptl", ".torchscript", ".jit"),
            f"a TorchScript file; {_FUNCTION} from which it was made, {_TORCH_TO_ONNX}",
        ),
        ".safetensors": f"{_NO_LAYERS}; {_FUNCTION} with these weights in it",
        ".gguf": f"{_NO_LAYERS}; {_FUNCTION} (transformers: AutoModelForCausalLM.from_config)",
        **dict.fromkeys((".npz", ".npy"), f"{_NO_LAYERS}; {_FUNCTION}"),
        ".tflite": "a TensorFlow Lite model; convert it with tf2onnx (python -m tf2onnx.convert "
        "--tflite FILE --output model.onnx) and give the .onnx file",
        **dict.fromkeys((".h5", ".hdf5", ".keras"), f"a Keras model; {_TENSORFLOW}"),
        **dict.fromkeys((".pb", ".pbtxt"), f"a TensorFlow graph; {_TENSORFLOW}"),
        **dict.fromkeys(
            (".prototxt", ".caffemodel"),
            "a Caffe model; convert it to ONNX (caffe2onnx) and give the .onnx file",
        ),
        ".mlmodel": "a Core ML model; convert it with onnxmltools and give the .onnx file",
        ".mlpackage": f"a Core ML model; {_FUNCTION} from which it was made",
        **dict.fromkeys(
            (".engine", ".plan", ".trt"),
            "a TensorRT engine, built for one GPU; give the .onnx file that it was built from",
        ),
        ".ort": "an ONNX Runtime model; give the .onnx file that it was converted from",
        **dict.fromkeys(
            (".xml", ".param", ".om", ".dlc", ".rknn", ".nnef", ".uff"),
            "a model of an inference tool; give the .onnx file that it was converted from",
        ),
        **dict.fromkeys((".txt", ".tsv", ".xlsx", ".xls", ".ods", ".ini", ".cfg"), _TEXT),
        **dict.fromkeys(
            (".yaml", ".yml", ".json"),
            "a text file; a study or sweep is given to its own command, a chip to --chip, and "
            f"{_TEXT}",
        ),
        ".py": "Python code; give package.module:function, where the function returns the model",
        **dict.fromkeys((".zip", ".tar", ".gz", ".7z"), "an archive; unpack it and give the model"),
    }
)
#: What archsim reads of files.
READ = ".onnx, .csv"


def refuse_file(spec: str) -> None:
    """Refuse a network that is a file of a format which is not read; let all else pass.

    Args:
        spec: The network as it was given; it ends neither in ``.onnx`` nor in ``.csv``.

    Raises:
        NetworkError: It is a file or folder, or is named like one.
    """
    if spec in zoo.names():
        return
    there = _exists(spec)
    ending = Path(spec).suffix.lower()
    known = FORMATS.get(ending)
    if not there and known is None and os.sep not in spec:
        return
    what = known or f"in a format that archsim does not know; it reads {READ}; or {_FUNCTION}"
    if not there:
        raise NetworkError(
            f"network file '{spec}' does not exist. (With this ending it would be {what})",
            code=Code.MISSING_FILE,
            field=spec,
        )
    if Path(spec).is_dir():
        what = f"a folder; give a file that archsim reads ({READ}), or {_FUNCTION}"
        what += "; a run of archsim is given to evaluate or report"
    raise NetworkError(
        f"network file '{spec}' is {what}",
        code=Code.WRONG_FILE,
        field=spec,
        value=ending,
        allowed=READ,
    )


def _exists(spec: str) -> bool:
    try:
        return os.path.lexists(spec)
    except ValueError:
        return False
