"""What a class must declare to be a correction, and that none is forgotten."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tsb.correction
from archsim.errors import ConfigError, NetworkError
from archsim.network.load import load_network
from tsb.correction import CORRECTIONS, make_carrier, parse_corrections
from tsb.correction.base import Carrier, Correction, Tensors
from tsb.correction.corrected import attach_all
from tsb.correction.needs import Needs, Unpriced
from tsb.correction.on_read import OnRead
from tsb.correction.options import option, options_of
from tsb.correction.parse import method_pattern
from tsb.correction.registry import DECLARED, applicable, example, registered


@dataclass(kw_only=True)
class Planted(Correction):
    """A correction as a stranger would write it: everything in one class."""

    name = "planted"
    description = "a number that changes nothing"
    citation = None
    in_cells = False
    trained = False
    starts_as_identity = True

    size: int = field(metadata=option("of nothing", example=3))

    def words(self) -> str:
        return f"nothing of size {self.size}"

    def hardware(self) -> Unpriced:
        return Unpriced("nobody has built one")

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        return {"nothing": torch.zeros(self.size)}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        return dict(tensors)

    def on_read(self, parameters: Tensors) -> OnRead:
        return OnRead()


def without(*names: str) -> type[Correction]:
    """The planted class, with some of its declarations left out."""
    own = {n: v for n, v in vars(Planted).items() if n not in (*names, "__dict__", "__weakref__")}
    bare: Any = type(Correction)
    made: type[Correction] = bare("Forgetful", (Correction,), own)
    return made


def defined() -> Iterator[type[Correction]]:
    """All classes in :mod:`tsb.correction` that are corrections and can be made."""
    for module in pkgutil.walk_packages(tsb.correction.__path__, "tsb.correction."):
        for own in vars(importlib.import_module(module.name)).values():
            is_correction = isinstance(own, type) and issubclass(own, Correction)
            if is_correction and own.__module__ == module.name and not inspect.isabstract(own):
                yield own


def forgotten(classes: list[type[Correction]]) -> list[str]:
    """Which of some classes the registry does not have."""
    return [own.__qualname__ for own in classes if own not in CORRECTIONS.values()]


def test_every_class_of_the_package_is_in_the_registry() -> None:
    classes = list(defined())
    assert len(classes) == len(CORRECTIONS)
    assert forgotten(classes) == []
    assert forgotten([*classes, Planted]) == ["Planted"]


def test_each_has_a_file_of_its_own() -> None:
    modules = [own.__module__ for own in CORRECTIONS.values()]
    assert len(set(modules)) == len(modules)


def test_a_class_that_declares_everything_is_taken() -> None:
    assert registered(Planted) == {"planted": Planted}
    assert [each.name for each in options_of(Planted).values()] == ["size"]


@pytest.mark.parametrize("name", [*DECLARED, "words", "hardware", "start", "apply", "on_read"])
def test_each_declaration_is_demanded(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Forgetful does not declare .*\b{name}\b"):
        registered(without(name))


def test_an_option_without_a_default_needs_an_example() -> None:
    @dataclass(kw_only=True)
    class Sized(Planted):
        other: int = field(metadata=option("without an example"))

    with pytest.raises(TypeError, match="an example of other"):
        registered(Sized)


def test_a_name_is_given_once() -> None:
    with pytest.raises(TypeError, match="both called 'planted'"):
        registered(Planted, without())


@pytest.mark.parametrize("said", [Needs, lambda: Unpriced(" ")])
def test_nothing_is_free_or_without_price_in_silence(said: Any) -> None:
    with pytest.raises(ValueError, match="allowed"):
        said()


def test_a_network_is_told_what_applies_to_it() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False))
    model.input_shape = (1, 28, 28)  # type: ignore[assignment]
    carrier = make_carrier(model, load_network(model))
    applies = applicable(carrier)
    assert {"linear-block", "low-rank", "scales", "last-layers"} <= set(applies)
    others = set(CORRECTIONS) - set(applies)
    assert {"tsb", "own-blocks", "batch-norm", "biases", "output-match"} <= others
    for name in others:
        with pytest.raises(NetworkError) as caught:
            attach_all([example(name)], carrier)
        assert str(caught.value).endswith(", ".join(applies))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tsb",
        " tsb:channels=8,depth=2 + biases",
        "low-rank:2+tsb",
        "tbs",
        "tsb+",
        "tsb8",
        "+tsb",
    ],
)
def test_the_schema_takes_the_methods_that_are_taken(text: str) -> None:
    try:
        parse_corrections(text, {"tsb": {"channels": 5}})
    except ConfigError:
        assert re.search(method_pattern(), text) is None
    else:
        assert re.search(method_pattern(), text)
