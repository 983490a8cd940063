"""Settings given from Python as a dictionary, a text, or a list."""

from __future__ import annotations

from typing import Any

import pytest

import archsim
from archsim.config.overrides import as_names, as_overrides, as_texts
from archsim.errors import ConfigError

FORMS: list[Any] = [
    {"chip.adc.bits": 6},
    "chip.adc.bits=6",
    ["chip.adc.bits=6"],
    ("chip.adc.bits=6",),
]


@pytest.mark.parametrize("given", FORMS)
def test_every_form_says_the_same(given: Any) -> None:
    assert as_texts(given) == ["chip.adc.bits=6"]


@pytest.mark.parametrize("given", [6, [6], [{"chip.adc.bits": 6}]])
def test_what_is_no_setting_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"overrides = .*allowed: a dictionary"):
        as_overrides(given)


def test_one_name_is_not_its_letters() -> None:
    assert as_names("vgg8") == ["vgg8"]
    assert as_names(("vgg8", "lenet3")) == ["vgg8", "lenet3"]


def test_compare_takes_one_network_and_one_design() -> None:
    compared = archsim.compare("lenet3", designs="none", overrides={"chip.adc.bits": 6})
    (mapped,) = compared.results
    assert (mapped.graph.name, mapped.resolved.chip.adc.bits) == ("lenet3", 6)
