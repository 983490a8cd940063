"""Weights on disk: safetensors with what they are, checked on the way in; never a pickle.

A file holds the tensors of a model's ``state_dict`` and, as metadata, the network's name, the
settings of its training and a hash of the tensors: a JSON object under the one key ``archsim``
(safetensors writes several keys in an order that changes from run to run). Files without that
metadata, from elsewhere, are read too.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from archsim.errors import Code, DataError
from archsim.util.atomic_write import write_whole
from archsim.util.files import parse_json, read_regular

_PICKLE_SUFFIXES = (".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt")
_ZIP_MAGIC = b"PK\x03\x04"
#: Formats of numbers that a file may hold.
_FORMATS = (
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)
#: First bytes of pickles of protocol 2 to 5.
_PICKLE_MAGICS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_METADATA = "archsim"
#: Key, in the settings of a training, of the options with which its network was built.
OPTIONS = "options"
_LENGTH_BYTES = 8
#: Differences that an error lists before it only counts.
_LISTED = 4
_CONVERT = (
    "import sys, torch; from safetensors.torch import save_file; "
    "d = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
    "d = d.get('state_dict', d); "
    "save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, "
    "sys.argv[2])"
)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Tensors of a network, and what the file says of them.

    Attributes:
        tensors: parameters and buffers by name.
        network: name of the network; "" if the file does not say.
        settings: of the training, as JSON values.
    """

    tensors: dict[str, Tensor]
    network: str = ""
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, object] | None:
        """Options with which the network was built; None if the file does not say."""
        options = self.settings.get(OPTIONS)
        return dict(options) if isinstance(options, dict) else None

    def load_into(self, model: nn.Module) -> None:
        """Copy the tensors into a model.

        Args:
            model: must have the same parameters and buffers.

        Raises:
            DataError: names, shapes or kinds of numbers differ; lists the first differences. The
                model is untouched.
        """
        check_fits(self.tensors, model)
        model.load_state_dict(self.tensors)


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and contents, whatever their order.

    Args:
        tensors: by name.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_checkpoint(
    path: Path | str,
    model: nn.Module,
    *,
    network: str = "",
    settings: Mapping[str, object] | None = None,
) -> None:
    """Write the parameters and buffers of a model, completely or not at all.

    Args:
        path: ends in ``.safetensors``.
        model: the network; tensors that are not finite are refused.
        network: its name.
        settings: how it was trained, as JSON values.

    Raises:
        DataError: another suffix, tensors that are not finite, or a file that cannot be written.
    """
    tensors = dict(model.state_dict())
    check_finite(tensors, str(path))
    write_tensors(Path(path), tensors, {"network": network, "settings": dict(settings or {})})


def load_checkpoint(path: Path | str) -> Checkpoint:
    """Read and check a safetensors file.

    Args:
        path: the file.

    Raises:
        DataError: missing, a pickle (the message has the command that converts it), damaged, or
            with tensors that are not finite.
    """
    tensors, about = read_tensors(Path(path))
    check_finite(tensors, str(path))
    settings = about.get("settings", {})
    if not isinstance(settings, dict):
        raise DataError.of(
            Code.DAMAGED_FILE, path, problem="its metadata 'settings' is not a JSON object"
        )
    return Checkpoint(tensors, str(about.get("network", "")), settings)


def check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Check that all tensors are numbers.

    Args:
        tensors: by name.
        where: file, for the error.

    Raises:
        DataError: names the first tensor with an entry that is infinite or not a number.
    """
    for name, tensor in tensors.items():
        bad = int((~torch.isfinite(tensor)).sum())
        if bad:
            raise DataError(
                f"{where}: '{name}' has {bad} of {tensor.numel()} entries that are infinite or not "
                "a number",
                code=Code.NOT_FINITE,
                field=name,
                value=bad,
            )


def check_fits(tensors: Mapping[str, Tensor], model: nn.Module) -> None:
    """Check names, shapes and kinds of numbers against a model.

    Args:
        tensors: by name.
        model: what they should fit.

    Raises:
        DataError: lists the first differences.
    """
    wanted = model.state_dict()
    differences = [f"'{name}' is missing" for name in wanted if name not in tensors]
    differences += [f"'{name}' is not in the model" for name in tensors if name not in wanted]
    for name, need in wanted.items():
        have = tensors.get(name, need)
        if have.shape != need.shape:
            differences.append(f"'{name}' has shape {_shape(have)}; the model has {_shape(need)}")
        elif have.is_floating_point() != need.is_floating_point():
            differences.append(f"'{name}' is {have.dtype}; the model has {need.dtype}")
    if differences:
        more = len(differences) - _LISTED
        prefixes = {name.split(".", 1)[0] for name in tensors}
        bare = {name.split(".", 1)[-1] for name in tensors}
        if len(prefixes) == 1 and bare == set(wanted):
            prefix = prefixes.pop()
            raise DataError(
                f"the checkpoint does not fit the model: its names begin with '{prefix}.', those "
                "of the model do not; take that off (DataParallel and compiled models add it)",
                code=Code.SHAPE_MISMATCH,
                field="checkpoint",
                value=prefix,
            )
        raise DataError(
            "the checkpoint does not fit the model: "
            + "; ".join(differences[:_LISTED])
            + (f"; and {more} more" if more > 0 else ""),
            code=Code.SHAPE_MISMATCH,
            field="checkpoint",
            value=differences,
        )


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "()"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, object]) -> None:
    """Write any tensors as safetensors, completely or not at all, with their hash.

    Args:
        path: ends in ``.safetensors``.
        tensors: by name.
        about: JSON values by key; ``hash`` is added.

    Raises:
        DataError: another suffix, or a file that cannot be written.
    """
    if path.suffix != ".safetensors":
        raise DataError.of(
            Code.WRONG_FORM, path, problem="the name of a checkpoint ends in .safetensors"
        )
    # A copy: safetensors refuses tensors that share memory, as tied weights do.
    unshared = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    text = json.dumps({**about, "hash": tensors_hash(unshared)})
    write_whole(path, save(unshared, metadata={_METADATA: text}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Read a safetensors file: its tensors by name, sorted, and what is said about them.

    Args:
        path: the file.

    Raises:
        DataError: missing, a pickle, damaged, or not what was written.
    """
    content = read_regular(path)
    refuse_pickle(path, content)
    try:
        tensors = dict(sorted(load(content).items()))
    except safetensors.SafetensorError as error:
        raise DataError.of(
            Code.DAMAGED_FILE, path, problem=f"not a whole safetensors file: {error}"
        ) from error
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        # Formats of numbers that this PyTorch has not, and shapes of nothing.
        raise DataError.of(
            Code.UNSUPPORTED, path, problem=f"a tensor cannot be read: {error}"
        ) from error
    _check_formats(tensors, path)
    about = _metadata(content, path)
    expected = about.pop("hash", None)
    if expected is not None and expected != tensors_hash(tensors):
        raise DataError.of(
            Code.DAMAGED_FILE,
            path,
            problem="its tensors are not those that were written (hash differs)",
        )
    return tensors, about


def _check_formats(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse formats of numbers that PyTorch stores and does not calculate with.

    Raises:
        DataError: names the first tensor.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in _FORMATS:
            raise DataError.of(
                Code.UNSUPPORTED,
                f"{path}: {name}",
                str(tensor.dtype).removeprefix("torch."),
                problem="numbers of this format are not read",
                allowed=[str(each).removeprefix("torch.") for each in _FORMATS],
            )


def _metadata(content: bytes, path: Path) -> dict[str, object]:
    """Return our metadata; the file starts with the length of its JSON header, in 8 bytes."""
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    try:
        header = parse_json(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
        said = header.get("__metadata__") or {}
        about = parse_json(said.get(_METADATA, "{}"))
    except (ValueError, AttributeError, TypeError):
        about = None
    if not isinstance(about, dict):
        raise DataError.of(
            Code.DAMAGED_FILE, path, problem=f"its metadata '{_METADATA}' is not a JSON object"
        )
    return about


def refuse_pickle(path: Path, content: bytes) -> None:
    """Refuse what ``torch.save`` writes: loading it can run any program.

    Args:
        path: whose suffix is looked at.
        content: whose first bytes are looked at.

    Raises:
        DataError: a pickle; the message has the command that converts it.
    """
    # A safetensors file starts with the length of its header, which may look like a pickle's first
    # bytes (640 is 80 02 00...); but then the header's brace follows.
    header = content[_LENGTH_BYTES : _LENGTH_BYTES + 1] in (b"{", b"")
    by_bytes = content.startswith((_ZIP_MAGIC, *_PICKLE_MAGICS)) and not header
    if by_bytes or path.suffix.lower() in _PICKLE_SUFFIXES:
        target = path.with_suffix(".safetensors")
        if target == path:
            target = path.with_name(f"{path.stem}-converted.safetensors")
        raise DataError(
            f"{path}: a pickle can run any program and is not loaded. Convert it, if you trust "
            f'where it comes from:\npython -c "{_CONVERT}" '
            f"{shlex.quote(str(path))} {shlex.quote(str(target))}",
            code=Code.UNSAFE_FILE,
            field=path,
        )
