"""Compile a module for this processor, and keep the object in the user's cache folder.

The name of a file is the hash of all that the object depends on: the module itself (which holds
what the engine did, so that a changed engine has another one), LLVM's version, the processor and
its features, and how it is compiled. A file begins with the hash of its content, so that a damaged
one is known. Nothing that goes wrong with the folder matters: what cannot be read is compiled, what
cannot be written is not kept.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from archsim.compiled.refusal import NotCompiledError
from archsim.errors import ArchsimError
from archsim.util.atomic_write import write_whole
from archsim.util.paths import user_cache

#: How much LLVM works on a module: 1 is compiled in a third of the time of 3.
_LEVEL = 1
#: Changes when the meaning of a file does.
_FORMAT = "1"
_SUFFIX = ".object"


def objects_folder() -> Path:
    """Return the folder of compiled objects in the user's cache."""
    return user_cache() / "compiled"


def vector_width() -> int:
    """Return how many float64 numbers fit a vector of this processor.

    Raises:
        NotCompiledError: it has no fused multiply-add, which a library would have to imitate.
    """
    import llvmlite.binding as llvm

    triple = llvm.get_process_triple()
    if triple.startswith(("aarch64", "arm64")):
        return 2
    features = llvm.get_host_cpu_features()
    if not (triple.startswith("x86_64") and features.get("fma") and features.get("avx2")):
        raise NotCompiledError("this processor has no fused multiply-add of vectors")
    return 8 if features.get("avx512f") and features.get("avx512dq") else 4


def compiled(text: str, folder: Path | None) -> tuple[bytes, bool]:
    """Return the object of a module, and whether it was there.

    Args:
        text: of the module.
        folder: where objects are kept; None: nowhere.

    Raises:
        NotCompiledError: LLVM refuses the module.
    """
    path = None if folder is None else folder / f"{_key(text)}{_SUFFIX}"
    known = None if path is None else _read(path)
    if known is not None:
        return known, True
    content = _compile(text)
    if path is not None:
        _write(path, content)
    return content, False


def _key(text: str) -> str:
    import llvmlite
    import llvmlite.binding as llvm

    parts = (
        _FORMAT, text, llvmlite.__version__, str(llvm.llvm_version_info), str(_LEVEL),
        llvm.get_process_triple(), llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, rest = content[:32], content[32:]
    return rest if hashlib.sha256(rest).digest() == digest else None


def _write(path: Path, content: bytes) -> None:
    with suppress(OSError, ArchsimError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, hashlib.sha256(content).digest() + content)


def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=_LEVEL,
        reloc="pic",
    )


def _compile(text: str) -> bytes:
    import llvmlite.binding as llvm

    try:
        machine = _machine()
        module = llvm.parse_assembly(text)
        module.verify()
        tuning = llvm.create_pipeline_tuning_options(speed_level=_LEVEL)
        llvm.create_pass_builder(machine, tuning).getModulePassManager().run(
            module, llvm.create_pass_builder(machine, tuning)
        )
        content: bytes = machine.emit_object(module)
    except RuntimeError as error:
        raise NotCompiledError(f"LLVM: {error}") from error
    return content


class LoadedObject:
    """An object in this process, with its one function."""

    def __init__(self, content: bytes) -> None:
        """Load an object.

        Args:
            content: of the object.

        Raises:
            NotCompiledError: LLVM refuses it.
        """
        import ctypes

        import llvmlite.binding as llvm

        try:
            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
            engine.add_object_file(llvm.ObjectFileRef.from_data(content))
            engine.finalize_object()
            address = engine.get_function_address("archsim_run")
        except RuntimeError as error:
            raise NotCompiledError(f"LLVM: {error}") from error
        if not address:
            raise NotCompiledError("the object has no function")
        # The engine owns the memory of the function.
        self._engine = engine
        pointer, whole = ctypes.c_void_p, ctypes.c_int64
        kinds = (pointer, pointer, whole, whole, whole, pointer, pointer)
        self._function = ctypes.CFUNCTYPE(None, *kinds)(address)

    def run(self, *args: int) -> None:
        """Run the function, without the interpreter's lock.

        Args:
            *args: addresses of inputs and outputs, columns, first and last block, addresses of the
                memory and of the constants (:mod:`archsim.compiled.emit`).
        """
        self._function(*args)
