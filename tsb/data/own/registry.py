"""Which forms data of the user may have, and which one a name means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archsim.config.checked import validate_model
from archsim.config.load import read_yaml
from archsim.errors import Code, ConfigError
from tsb.data.dataset import Dataset
from tsb.data.own.arrays import Arrays
from tsb.data.own.divide import as_dataset
from tsb.data.own.form import DataForm, Most
from tsb.data.own.function import load_function
from tsb.data.own.images import Images
from tsb.data.own.tokens import Tokens

#: Forms that a description names, or that a file has.
FORMS: Mapping[str, DataForm[Any]] = {form.name: form for form in (Images(), Arrays(), Tokens())}
_YAML = (".yaml", ".yml")


def is_own(name: str) -> bool:
    """Whether a name is that of data of the user: a function, a description or a file.

    Args:
        name: what the user writes.
    """
    return is_code(name) or Path(name).suffix.lower() in (*_YAML, *_by_suffix())


def is_code(name: str) -> bool:
    """Whether a name is that of a function of the user.

    Args:
        name: what the user writes.
    """
    return ":" in name


def load_own(name: str, root: Path | None, most: Most) -> Dataset:
    """Load data of the user.

    Args:
        name: ``package.module:function``, a YAML description, or a file of arrays or text.
        root: folder that files lie below; None for that of the description or file.
        most: items of each part, spread over it; a part that is not named is read whole.

    Raises:
        ConfigError: a description with other keys or values than there are.
        DataError: data that are missing, damaged, or do not fit together.
    """
    if is_code(name):
        return as_dataset(name, load_function(name, most))
    path = Path(name)
    if path.suffix.lower() in _YAML:
        document = read_yaml(path)
        form = _form_of(document.pop("form", None), path)
    else:
        form = _by_suffix()[path.suffix.lower()]
        document = form.of_file(path)
    settings = validate_model(form.settings, document, str(path))
    folder = path.parent if root is None else root
    return as_dataset(name, form.load(settings, folder, f"data '{name}'", most))


def _form_of(name: object, path: Path) -> DataForm[Any]:
    if not isinstance(name, str) or name not in FORMS:
        raise ConfigError.of(
            Code.MISSING_KEY if name is None else Code.UNKNOWN_NAME,
            f"{path}: form",
            name,
            allowed=tuple(FORMS),
        )
    return FORMS[name]


def _by_suffix() -> dict[str, DataForm[Any]]:
    return {suffix: form for form in FORMS.values() for suffix in form.suffixes}
