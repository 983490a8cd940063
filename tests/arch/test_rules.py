"""Every rule: single designs and batches are judged alike, and the message says what to mend.

A new row of RULES is taken up here without an edit.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import pytest
import torch

from archsim.arch.parameters import ParameterTable
from archsim.arch.rules import broken, table_of
from archsim.config import rules
from archsim.config.load import Setting, apply_overrides
from archsim.config.lookup import look_up, schema_fields
from archsim.config.resolve import Resolved, load_documents, resolve, unchecked
from archsim.config.rules import RULES, Rule, check
from archsim.config.settings import LAYERS, NETWORK, AbstractSettings, PlainSettings
from archsim.config.sourced import Quantity
from archsim.errors import NOT_GIVEN, Code, ConfigError, Problem
from archsim.explore.run.rows import box_rows
from archsim.explore.space.selection import Box
from tests.explore.sweeps import run_cli, space_of
from tests.refusals import command_refused, holds, refused

_RULES = {rule.name: rule for rule in RULES}
#: Configurations that are tried at least, and at most, until there is a legal and an illegal one.
_DRAWS, _MOST_DRAWS = 150, 3000


@dataclass(frozen=True)
class Drawn:
    """A configuration with values of some settings that go together or not."""

    resolved: Resolved
    layers: int

    @property
    def settings(self) -> PlainSettings:
        """What rules are asked about."""
        return PlainSettings(self.resolved, {LAYERS: self.layers, NETWORK: "a network"})

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What it is refused with, one per rule; none if it is not."""
        try:
            check(self.resolved, network="a network", layers=self.layers)
        except ConfigError as error:
            return error.problems
        return ()


USUAL = resolve()
#: Constants that are null in the usual chip: a plain number needs a unit to take.
_KNOWN = [
    f"{path}={{value: {value}, unit: {unit}, source: test}}"
    for path, value, unit in (
        ("chip.read.cell_current", 1, "uA"),
        ("chip.read.cell_supply", 1, "V"),
        ("chip.read.sense_time", 1, "ns"),
        ("chip.adc.energy", 1, "fJ"),
        ("chip.timing.read_cycle", 1, "ns"),
        ("chip.timing.clock", 1, "ns"),
        ("chip.calibration.macro_energy", 1, "1"),
        ("chip.calibration.macro_time", 1, "1"),
        ("chip.calibration.macro_area", 1, "1"),
        ("device.write_energy", 1, "pJ"),
        ("device.write_capacitance", 1, "fF"),
        ("device.write_current", 1, "uA"),
        ("device.reset_current", 1, "uA"),
    )
]


def _own(value: Any) -> dict[str, Any]:
    return {"value": value, "unit": "1", "source": "test"}


#: Entries of lists of blocks, of which any number may be taken.
LISTS = {
    "device.levels": [{"mean": _own(place / 4), "sigma": _own(0.05)} for place in range(4)],
    "device.level_shapes": [{"quantiles": _own([float(k) for k in range(33)])}] * 4,
}


def value_of(path: str, choose: random.Random) -> Any:
    """Any value of a setting; some are outside its range."""
    entry, found = schema_fields(Resolved)[path], look_up(USUAL, path)
    if entry.nullable and choose.random() < 0.2:
        return None
    if entry.choices:
        return choose.choice(entry.choices)
    if entry.kind == "list":
        return LISTS[path][: choose.choice([2, 3, 4])]
    if entry.kind == "text":
        return choose.choice([entry.default, "another"])
    if entry.kind == "flag":
        return choose.random() < 0.5
    if entry.kind == "constant":
        usual = found.value if isinstance(found, Quantity) else 7.0
        return choose.choice([usual, 0.0, 0.2, 0.5, 0.95, 1.0, 4.0]) * choose.choice([1, 10])
    numbers = numbers_of(path)
    return choose.choice([numbers[0], numbers[-1], choose.choice(numbers)])


def numbers_of(path: str) -> list[int]:
    """Whole numbers in the range of a setting."""
    block, _, key = path.rpartition(".")
    info = type(look_up(USUAL, block)).model_fields[key]
    if get_origin(info.annotation) is Literal:
        return list(get_args(info.annotation))
    least = max(getattr(own, "ge", 0) for own in info.metadata)
    most = min(getattr(own, "le", 1024) for own in info.metadata)
    known = [*range(9), 12, 16, 20, 32, 64, 96, 128, 1024]
    return [number for number in known if least <= number <= most]


def drawn(rule: Rule) -> Iterator[Drawn]:
    """Configurations with other values of what a rule reads."""
    choose = random.Random(rule.name)
    limit = "chip.programming.max_power={value: 10, unit: mW, source: test}"
    documents = load_documents(overrides=[limit, *_KNOWN])
    known = [path for path in rule.reads if path in schema_fields(Resolved)]
    seen: set[bool] = set()
    for place in range(_MOST_DRAWS):
        if place >= _DRAWS and len(seen) == 2:
            return
        settings = [Setting(path, value_of(path, choose)) for path in known]
        try:
            resolved = unchecked(apply_overrides(documents, settings))
        except ConfigError:
            continue  # a value outside its own range
        one = Drawn(resolved, choose.randint(1, 6))
        seen.add(is_broken(rule, one))
        yield one


@pytest.fixture(scope="module", params=_RULES)
def case(request: pytest.FixtureRequest) -> tuple[Rule, list[Drawn]]:
    rule = _RULES[request.param]
    return rule, list(drawn(rule))


def is_broken(rule: Rule, one: Drawn) -> bool:
    return bool(rule.broken(one.settings))


def test_there_are_legal_and_illegal_designs(case: tuple[Rule, list[Drawn]]) -> None:
    rule, found = case
    assert {is_broken(rule, one) for one in found} == {False, True}


def test_single_designs_are_refused_exactly_if_a_rule_is_broken(
    case: tuple[Rule, list[Drawn]],
) -> None:
    _, found = case
    for one in found:
        expected = [other for other in RULES if is_broken(other, one)]
        assert list(one.problems) == [other.problem(one.settings) for other in expected]


def test_a_row_of_a_batch_is_judged_as_by_itself(case: tuple[Rule, list[Drawn]]) -> None:
    rule, found = case
    tables = [table_of(one.resolved, "none") for one in found]
    layers = torch.tensor([float(one.layers) for one in found], dtype=torch.float64)
    columns = {
        path: torch.stack([table.values[path] for table in tables]) for path in tables[0].values
    }
    batch = tables[0].written({**columns, LAYERS: layers})
    mask = broken(batch)[rule.name]
    assert mask.dtype == torch.bool
    assert mask.tolist() == [is_broken(rule, one) for one in found]
    for row, (one, table) in enumerate(zip(found, tables, strict=True)):
        alone = broken(table, layers=one.layers)
        assert (rule.name in alone) == bool(mask[row])


def test_the_problem_names_setting_value_and_what_is_allowed(
    case: tuple[Rule, list[Drawn]],
) -> None:
    rule, found = case
    keys = "|".join(re.escape(path.rpartition(".")[2]) for path in rule.reads)
    roots = {path.partition(".")[0] for path in rule.reads} - {"network"}
    for one in found:
        if is_broken(rule, one):
            problem = rule.problem(one.settings)
            assert problem.code is Code.CONFLICT
            assert problem.field in (*rule.reads, "device.r_off")
            assert problem.value is not NOT_GIVEN
            assert problem.allowed
            said = problem.text
            assert said.startswith(tuple(roots)), said
            assert re.search(rf"\b({keys}) = \S+.*allowed: \S+", said), said
            assert "\n" not in said


def test_a_rule_reads_what_it_says(case: tuple[Rule, list[Drawn]]) -> None:
    class Recording(PlainSettings):
        def value(self, path: str) -> Any:
            asked.add(path)
            return super().value(path)

    rule, found = case
    asked: set[str] = set()
    for one in found:
        rule.broken(Recording(one.resolved, {LAYERS: one.layers}))
    assert asked == {*rule.reads}


def test_names_are_unique() -> None:
    assert len(_RULES) == len(RULES)


def test_rules_about_the_network_are_asked_where_it_is_known() -> None:
    resolved = resolve(overrides=["chip.programming.rewritten_layers=4"])
    check(resolved, network="deep", layers=4)
    facts: dict[str, Any] = {"code": "conflict", "field": "chip.programming.rewritten_layers"}
    with refused(ConfigError, **facts, value=4, allowed="0 to 3", says=["flat"]):
        check(resolved, network="flat", layers=3)


def test_all_broken_rules_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(overrides=["chip.crossbar.cols=100", "chip.precision.bits_per_cell=3"])
    bits, cols = caught.value.problems
    holds(
        bits, code="conflict", field="chip.precision.bits_per_cell", value=3, allowed="[1, 2, 4, 8]"
    )
    holds(cols, code="conflict", field="chip.crossbar.cols", value=100, allowed="8, 16, 24")
    assert str(caught.value).splitlines() == [bits.text, cols.text]


def test_what_is_loaded_is_checked_too() -> None:
    found = resolve().model_dump(mode="json")
    Resolved.model_validate(found)
    found["chip"]["crossbar"]["cols"] = 100
    with refused(ConfigError, code="conflict", field="chip.crossbar.cols", value=100, allowed="8"):
        Resolved.model_validate(found)


# --- a new row acts everywhere --------------------------------------------------------------------


def _too_sharp(settings: AbstractSettings) -> Any:
    return settings.equals("chip.adc.range", "full-scale") & (settings.number("chip.adc.bits") > 5)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Rule:
    """A rule on a setting that no design has a field of, and on one that it has."""
    rule = Rule(
        name="planted",
        reads=("chip.adc.range", "chip.adc.bits"),
        broken=_too_sharp,
        problem=lambda settings: Problem.of(
            Code.CONFLICT, "chip.adc.bits", settings.value("chip.adc.bits"), allowed="5"
        ),
    )
    monkeypatch.setattr(rules, "RULES", (*RULES, rule))
    return rule


@pytest.mark.usefixtures("planted")
def test_a_planted_rule_acts_in_single_designs() -> None:
    bare = "chip.adc.range=full-scale"
    resolve(overrides=[bare])
    with refused(ConfigError, code="conflict", field="chip.adc.bits", value=6, allowed="5"):
        resolve(overrides=[bare, "chip.adc.bits=6"])
    done = run_cli("map", "lenet3", "--set", bare, "--set", "chip.adc.bits=6")
    command_refused(done, "chip.adc.bits = 6", "5")


@pytest.mark.usefixtures("planted")
def test_a_planted_rule_acts_in_sweeps() -> None:
    space = space_of({"chip.adc.range": ["calibrated", "full-scale"], "chip.adc.bits": [5, 6]})
    rows = box_rows(space, Box((slice(0, 2), slice(0, 2))))
    assert rows.table["point"].to_pylist() == [0, 1, 2]
    assert rows.forbidden == {"planted": 1}


def test_without_it_that_axis_changes_nothing() -> None:
    with refused(ConfigError, code="unsupported", field="sweep.axes.chip.adc.range"):
        space_of({"chip.adc.range": ["calibrated", "full-scale"], "chip.adc.bits": [5, 6]}).base(())


# --- tables ---------------------------------------------------------------------------------------


def test_null_is_no_number() -> None:
    table = table_of(resolve(device="sram", overrides=["chip.precision.bits_per_cell=1"]), "none")
    assert bool(table.is_null("device.r_on"))
    assert bool(table.is_null("device.write_verify"))
    assert float(table.number("device.r_on", null=3.0)) == 3
    assert not bool(table.number("device.r_on") < 1e9)
    assert isinstance(table.written({}), ParameterTable)
