"""Models as they are traced: wrappers and caches off, experts picked; known failures named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from archsim.errors import Code, NetworkError
from archsim.network.frontend.call import Trace, Weight

#: Settings of transformers' configurations while a model is traced. Experts are then looked up by
#: the index that the router gives, in place of a loop over those that were hit.
_SETTINGS: dict[str, tuple[type, object]] = {
    "use_cache": (bool, False),
    "_experts_implementation_internal": (object, "batched_mm"),
}


def plain_module(module: nn.Module, network: str) -> nn.Module:
    """The model behind wrappers that change how it runs, not what it is.

    Raises:
        NetworkError: It is compiled to TorchScript.
    """
    for name in ("_orig_mod", "module"):  # torch.compile, DataParallel
        inner = getattr(module, name, None)
        is_wrapper = name == "_orig_mod" or isinstance(module, nn.DataParallel)
        if isinstance(inner, nn.Module) and is_wrapper:
            return plain_module(inner, network)
    scripted = [p for p, m in module.named_modules() if isinstance(m, torch.jit.ScriptModule)]
    if scripted:
        raise NetworkError(
            f"network '{network}': '{scripted[0] or type(module).__name__}' is a TorchScript "
            "module (torch.jit.script or trace), whose operators are not read; give the module "
            "that it was made from, or export it to ONNX",
            code=Code.UNSUPPORTED,
            field=scripted[0] or network,
            value="torch.jit.ScriptModule",
        )
    return module


def program_module(program: ExportedProgram) -> nn.Module:
    """The module of a program of ``torch.export``; it carries the shape that it was made for."""
    module = program.module()
    nodes = {node.name: node for node in program.graph.nodes}
    given = [
        nodes[name].meta.get("val") for name in program.graph_signature.user_inputs if name in nodes
    ]
    if len(given) == 1 and isinstance(given[0], Tensor) and given[0].shape[:1] == (1,):
        vars(module)["input_shape"] = tuple(int(size) for size in given[0].shape[1:])
    return module


@contextmanager
def plain_settings(module: nn.Module) -> Iterator[None]:
    """Inside, models of transformers keep no cache and look up the experts that they pick."""
    configs = {id(config): config for config in _configs(module)}
    before: list[tuple[dict[str, object], str, object]] = []
    try:
        for config in configs.values():
            values = vars(config)
            for name, (kind, value) in _SETTINGS.items():
                if name in values and isinstance(values[name], kind):
                    before.append((values, name, values[name]))
                    values[name] = value
        yield
    finally:
        for values, name, old in before:
            values[name] = old


def _configs(module: nn.Module) -> Iterator[object]:
    """The configurations of all parts: an encoder and a decoder have their own."""
    for part in module.modules():
        pending = [getattr(part, "config", None)]
        seen: set[int] = set()
        while pending:
            config = pending.pop()
            if config is None or id(config) in seen or not hasattr(config, "__dict__"):
                continue
            seen.add(id(config))
            if "use_cache" in vars(config) or hasattr(config, "model_type"):
                yield config
                pending += [v for v in vars(config).values() if hasattr(v, "model_type")]


def count_parameters(module: nn.Module, trace: Trace) -> int:
    """Numbers that the model is made of: its parameters, and matrices that it keeps as integers.

    A complex one is two numbers. Buffers of real numbers (filters that are not trained) are none.
    """
    own = {name: p.numel() * (1 + p.is_complex()) for name, p in module.named_parameters()}
    integers = {name for name, b in module.named_buffers() if b.dtype in (torch.int8, torch.uint8)}
    kept = {
        weight.name: weight.elements
        for call in trace.calls
        for weight in call.operands
        if isinstance(weight, Weight) and weight.name in integers and len(weight.shape) > 1
    }
    return sum(own.values()) + sum(kept.values())


#: Functions of PyTorch that no tracer follows, by name: what to do instead.
_UNTRACEABLE = {
    **dict.fromkeys(
        ("pack_padded_sequence", "pad_packed_sequence", "pack_sequence"),
        "costs are those of one input, which needs no padding, so give the recurrent layer the "
        "tensor itself",
    ),
}


def known_cause(module: nn.Module, network: str, *errors: BaseException) -> NetworkError | None:
    """The error for a model that could not be traced, where the reason has a name."""
    for path, part in module.named_modules():
        code = getattr(type(part).forward, "__code__", None)
        used = [name for name in getattr(code, "co_names", ()) if name in _UNTRACEABLE]
        if used:
            where = path or type(part).__name__
            return NetworkError(
                f"network '{network}' cannot be traced: '{where}' calls {used[0]} "
                f"(torch.nn.utils.rnn): {_UNTRACEABLE[used[0]]}",
                code=Code.UNSUPPORTED_OPERATOR,
                field=where,
                value=used[0],
            )
    return None
