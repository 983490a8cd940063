"""Compile generated functions with numba, once per text and machine.

A text is kept as a file in the user's cache folder, under a hash of all that its machine code
depends on, and numba keeps the code beside it. Numba itself looks after its version, the processor
and its features. Nothing that goes wrong with the folder matters: what cannot be read is compiled,
what cannot be written is not kept.

Importing this module needs numba.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

from archsim.errors import DataError
from archsim.util.atomic_write import write_whole
from archsim.util.paths import user_cache
from tsb.monte_carlo import simd, simd_masks

_VECTORS = ("load", "store", "broadcast", "multiply_add", "maximum")
_MASKS = ("greater", "choose", "to_bits", "from_bits")
#: Where a function says what it was compiled from.
_KEY = "__archsim_key__"


def code_folder() -> Path:
    """Return the folder of compiled functions in the user's cache."""
    return user_cache() / "kernels"


@lru_cache(maxsize=64)
def compile_vectors(text: str) -> Any:
    """Compile a function that uses the vector operations; once per text.

    Args:
        text: of one function.
    """
    operations = {name: getattr(simd, name) for name in _VECTORS}
    operations |= {name: getattr(simd_masks, name) for name in _MASKS}
    return compile_text(text, operations | {"float32": numba.float32})


def compile_text(text: str, names: dict[str, Any]) -> Any:
    """Compile a function, at its first call.

    Args:
        text: of one function.
        names: what it may use; the function itself is added.
    """
    parts = [text, *(f"{name} {_key(value)}" for name, value in sorted(names.items()))]
    key = hashlib.sha256("\n".join([*parts, _vector_source()]).encode()).hexdigest()
    file = _kept_text(text, key)
    # Numba imports the module of what it loads, and names machine code by module and function: the
    # hash keeps functions of one name apart.
    names["__name__"] = __name__
    exec(compile(text, str(file or "<generated>"), "exec"), names)
    function = names[text[len("def ") : text.index("(")]]
    function.__qualname__ = f"{function.__name__}_{key}"
    setattr(function, _KEY, key)
    compiled: Any = numba.njit(error_model="numpy", nogil=True)(function)
    if file is not None:
        with suppress(RuntimeError, OSError):  # numba finds no place beside the text
            compiled._cache = _KeptCode(function)  # type: ignore[no-untyped-call]
    return compiled


class _KeptCode(FunctionCache):
    """Numba's cache of a function that never fails: what is damaged is compiled anew."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code of a signature; None where there is none that can be read."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001 - a pickle that is cut or foreign raises anything
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code of a signature, if it can be written."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001 - an index that is damaged raises anything
            with suppress(Exception):
                self.flush()  # type: ignore[no-untyped-call]
                super().save_overload(sig, data)  # type: ignore[no-untyped-call]


def _key(value: Any) -> str:
    """Return what tells the machine code of a name: numba and the sources tell the rest."""
    return str(getattr(getattr(value, "py_func", None), _KEY, ""))


@cache
def _vector_source() -> str:
    """Return the sources of the vector operations, which are inlined."""
    return "\n".join(Path(str(module.__file__)).read_text() for module in (simd, simd_masks))


def _kept_text(text: str, key: str) -> Path | None:
    """Return the file of a text, written if it is not there; None if it cannot be."""
    file = code_folder() / f"{key}.py"
    try:
        if not file.is_file() or file.read_bytes() != text.encode():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text.encode())
    except (OSError, DataError):
        return None
    return file
