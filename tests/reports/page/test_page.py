"""The page of the joint report: what is collected, and that the file is sound, inert and alone."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from archsim.errors import ConfigError
from archsim.results.breakdown import PARTS
from reports.page import PageContent, html, save
from reports.page import render as render_module
from reports.page.designs import core_columns
from reports.tables.breakdown import LEAKAGE, REST
from reports.tables.table import Column, Table
from reports.units import unit_text
from tests.refusals import refused
from tests.reports.page.pages import HOSTILE, SVG, design, joint, mapped, page, usual

_VOID = {"meta", "link", "input", "img", "br", "hr"}


class Read(HTMLParser):
    """All start tags, the text of each element, and whether the nesting is right."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside == "script":
            self.scripts.append(data)
        elif data.strip():
            self.texts.append((inside, data.strip()))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def attributes(self, name: str) -> list[str]:
        return [own[name] for _, own in self.tags if name in own]


@pytest.fixture(scope="module")
def content() -> PageContent:
    return page()


@pytest.fixture(scope="module")
def text(content: PageContent) -> str:
    return html(content)


@pytest.fixture(scope="module")
def read(text: str) -> Read:
    return Read(text)


# --- content --------------------------------------------------------------------------------------


def test_rows_and_points_are_those_of_the_joint_result(content: PageContent) -> None:
    rows = usual().records()
    records = content.designs.records()
    assert len(records) == len(content.points) == len(rows) == 10
    for row, record, point in zip(rows, records, content.points, strict=True):
        assert record["design"] == point.label
        assert record["accuracy"] == point.accuracy == pytest.approx(100 * row["accuracy"], abs=0)
        assert (point.low, point.high) == pytest.approx(
            (100 * row["ci95_low"], 100 * row["ci95_high"]), abs=0
        )
        assert record["half_width"] == pytest.approx(0.5, rel=1e-9, abs=0)
        for key in ("area_mm2", "energy_uJ", "edp_uJ_us", "edp_overhead_pct", "write_pulses"):
            assert record[key] == row[key]
        assert point.values["edp_uJ_us"] == row["edp_uJ_us"]


def test_columns_that_the_issue_asks_for_are_there_from_the_start(content: PageContent) -> None:
    asked = {
        *("design", "accuracy", "half_width", "area_mm2", "energy_uJ", "latency_us", "period_us"),
        *("edp_uJ_us", "edp_overhead_pct", "write_pulses", "programming_time_ms"),
        *("programming_energy_uJ", "trained_weights", "tune_seconds"),
    }
    keys = {column.key for column in content.designs.columns}
    assert asked <= core_columns()
    assert asked <= keys
    assert "std_chip" not in keys, "nothing was measured, so nothing is shown"


def test_designs_with_the_same_hardware_share_a_breakdown(content: PageContent) -> None:
    labels = [own.labels for own in content.breakdowns]
    assert labels == [("plain", "all verified", HOSTILE), ("TSB (common)",), ("TSB (separate)",)]
    assert content.breakdowns[1].designs == (1, 6)


def test_breakdowns_add_up_to_the_totals(content: PageContent) -> None:
    for own, place in zip(content.breakdowns, ("none", "common", "separate"), strict=True):
        totals = mapped(place).totals
        for at, key in enumerate(PARTS):
            for parts in (own.components, own.layers):
                whole = sum(part.values[at] for part in parts)
                assert whole == pytest.approx(totals[key], rel=1e-9, abs=0)
            assert own.totals[at] == pytest.approx(totals[key], rel=1e-9, abs=0)


def test_leakage_and_the_rest_are_parts_of_their_own(content: PageContent) -> None:
    common = content.breakdowns[1]
    assert common.components[-1].name == LEAKAGE
    energy = mapped("common").totals["leakage_energy_uJ"]
    assert common.components[-1].values == pytest.approx((0, energy, 0), rel=1e-9)
    assert common.layers[-1].name == REST
    assert [part.name for part in common.layers if part.shared_block] == ["tsb@conv1", "tsb@conv2"]


def test_metrics_have_a_positive_value_somewhere() -> None:
    kept = page(joint(design("plain", hardware=mapped("none"), tune_seconds=0.0)))
    assert "tune_seconds" not in [metric.key for metric in kept.metrics]
    assert ("edp_uJ_us", "EDP", "uJ us") in [(m.key, m.label, m.unit) for m in kept.metrics]


def test_gap_is_drawn_where_there_are_two_sigmas(content: PageContent) -> None:
    assert [own.title for own in content.figures] == [
        "Floorplan",
        "Gap to the noise-free network against sigma",
    ]
    assert content.figures[1].svg.count("<svg") == 1
    one = page(joint(design("plain", hardware=mapped("none"))))
    assert [own.title for own in one.figures] == ["Floorplan"]


def test_same_result_gives_the_same_page(text: str) -> None:
    assert html(page()) == text


def test_published_accuracies_stand_beside_ours(content: PageContent) -> None:
    assert content.published is None
    ours = design("plain", published_accuracy=0.92, published_ideal=0.985)
    table = page(joint(ours)).published
    assert table is not None
    assert [row["method"] for row in table.records()] == ["noise-free network", "plain"]
    deviations = [row["deviation"] for row in table.records()]
    assert deviations == pytest.approx([-0.5, -2.0], rel=1e-9, abs=0)
    half = [row["half_width"] for row in table.records()]
    assert half == [None, pytest.approx(0.5, rel=1e-9, abs=0)]


def test_assumptions_say_which_designs_they_are_about(content: PageContent) -> None:
    said = dict(content.assumptions)
    everyone = next(line for line in said if line.startswith("Read energy"))
    assert said[everyone] == ""
    common = next(line for line in said if "common, in turn" in line)
    assert said[common] == "TSB (common)"


def test_citations_are_those_of_the_models_used(content: PageContent) -> None:
    expected = {
        line
        for place in ("none", "common", "separate")
        for line in mapped(place).resolved.citations(leave_out=("memory", "link"))
    }
    assert set(content.citations) == expected
    assert list(content.citations) == sorted(expected, key=str.casefold)


def test_constants_are_cited_assumed_or_set_by_somebody() -> None:
    own = page(joint(design("plain", hardware=mapped("none", "device.sigma=0.3"))))
    assert own.overridden is not None
    assert own.overridden.records() == [
        {"constant": "device.sigma", "value": "0.3", "designs": "all"}
    ]
    assert own.assumed is not None
    assumed = {row["constant"]: row for row in own.assumed.records()}
    assert assumed["chip.activity.input_std"]["range"] == "0.15 to 0.35"
    assert not any(name.startswith(("memory", "link")) for name in assumed)
    assert "user override device.sigma=0.3" not in own.citations


def test_configurations_are_named_by_their_hash(content: PageContent) -> None:
    hashes = {row["config_hash"] for row in content.configurations.records()}
    assert mapped("common").resolved.config_hash in hashes


def test_long_lists_of_designs_are_cut() -> None:
    many = joint(*(design(f"m{n}", notes=("no price",)) for n in range(8)))
    assert page(many).notes[-1] == "m0, m1, m2, m3, m4, m5 and 2 more: no price."


def test_answer_of_one_text_is_parted_by_empty_lines() -> None:
    assert page(answer="One.\n\nTwo.\n\n\n").answer == ("One.", "Two.")


def test_answer_is_named_in_the_table() -> None:
    good = design("cheap", hardware=mapped("none"), validation_accuracy=0.9)
    dear = design("dear", place="common", hardware=mapped("common"), validation_accuracy=0.9)
    own = page(joint(good, dear))
    assert [point.recommended for point in own.points] == [True, False]
    badges = [data for inside, data in Read(html(own)).texts if inside == "span"]
    assert badges.count("recommended") == 1


def test_first_sigma_is_the_studys_or_the_one_asked_for() -> None:
    assert page().sigma == 0.1
    assert page(sigma=0.2).sigma == 0.2
    with refused(ConfigError, code="out-of-range", field="sigma", value=0.3, allowed="0.1, 0.2"):
        page(sigma=0.3)


# --- what is not there ----------------------------------------------------------------------------


def test_without_accuracy_the_page_serves_the_hardware() -> None:
    own = page(joint(design("plain", accuracy=None, hardware=mapped("none"))))
    assert own.missing == ("No accuracy was measured: hardware and programming are all there is.",)
    read = Read(html(own))
    assert own.missing[0] in [data for _, data in read.texts]
    ids = read.attributes("id")
    assert "trade-off" not in ids
    assert "chart-components" in ids


def test_without_hardware_the_page_serves_the_accuracy() -> None:
    own = page(joint(design("plain"), design("other", accuracy=math.nan)))
    assert own.missing == (
        "No accuracy: other.",
        "No hardware was priced: accuracy and training are all there is.",
    )
    assert own.breakdowns == ()
    assert own.points[1].accuracy is None
    ids = Read(html(own)).attributes("id")
    assert "chart-first" in ids, "training time is left to draw against"
    assert "chart-components" not in ids


def test_infeasible_design_says_why() -> None:
    hopeless = mapped("none", "chip.hierarchy.max_tiles=1")
    assert not hopeless.feasible
    own = page(joint(design("plain", hardware=hopeless)))
    assert own.breakdowns == ()
    assert own.missing[0].startswith("Cannot be built: plain. ")
    assert hopeless.infeasible_because[0] in own.missing[0]
    assert hopeless.infeasible_because[0] in " ".join(data for _, data in Read(html(own)).texts)


def test_without_designs_there_is_still_a_page() -> None:
    own = page(joint())
    assert own.missing == ("There are no designs.",)
    assert own.sigma is None
    assert "designs-table" not in Read(html(own)).attributes("id")


# --- the file -------------------------------------------------------------------------------------


def test_elements_are_nested_and_ids_are_unique(read: Read) -> None:
    assert read.open == []
    ids = read.attributes("id")
    assert len(ids) == len(set(ids))


def test_references_inside_the_page_lead_somewhere(read: Read) -> None:
    ids = set(read.attributes("id"))
    for name in ("aria-labelledby", "aria-describedby"):
        assert set(read.attributes(name)) <= ids
    assert {link[1:] for link in read.attributes("href") if link.startswith("#")} <= ids


def test_headings_go_down_one_by_one(read: Read) -> None:
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_readers_of_the_screen_find_their_way(read: Read) -> None:
    assert read.all("html") == [{"lang": "en"}]
    first = read.all("a")[0]
    assert first == {"class": "skip", "href": "#main"}
    charts = [own for own in read.all("div") if own.get("class", "").startswith("chart")]
    assert len(charts) == 5
    for chart in charts:
        assert chart["role"] == "img"
        assert chart["aria-label"]
        assert chart["aria-describedby"], "every chart has its data as a table"
    assert all(image["alt"] for image in read.all("img"))
    scopes = [own["scope"] for own in read.all("th")]
    assert set(scopes) == {"col", "row"}


def test_table_shows_every_design_as_people_read_it(content: PageContent, read: Read) -> None:
    shown = [data for _, data in read.texts]
    for cells in content.designs.texts():
        assert cells[0] in shown
    record = content.designs.records()[1]
    values = {own["data-value"] for own in read.all("td") if "data-value" in own}
    assert repr(record["edp_uJ_us"]) in values
    assert "110.1 k" in shown


def test_page_asks_no_network(text: str, read: Read) -> None:
    for name in ("src", "href", "action", "srcset", "poster", "data"):
        for value in read.attributes(name):
            assert value.startswith(("#", "data:")), value
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import", style[1])
    own = read.scripts[-1]
    assert not re.search(
        r"\bfetch\(|XMLHttpRequest|WebSocket|import\(|sendBeacon|https?:(?!//www\.w3\.org)", own
    )


def test_policy_allows_the_two_scripts_and_no_request(read: Read) -> None:
    policy = next(own["content"] for own in read.all("meta") if "http-equiv" in own)
    rules = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(own.encode()).digest()).decode() + "'"
        for own in read.scripts[1:]
    ]
    assert rules["script-src"] == hashes
    assert len(read.all("script")) == 3


def test_hostile_names_are_text(text: str, content: PageContent, read: Read) -> None:
    assert HOSTILE not in text
    assert HOSTILE in [data for _, data in read.texts]
    assert len(read.all("script")) == 3
    assert all("onerror" not in attributes for _, attributes in read.tags)
    data = json.loads(read.scripts[0])
    assert [own["label"] for own in data["points"]] == [own.label for own in content.points]
    assert "<" not in read.scripts[0]


def test_drawings_are_images_in_which_nothing_runs(read: Read) -> None:
    sources = [image["src"] for image in read.all("img")]
    prefix = "data:image/svg+xml;base64,"
    assert all(source.startswith(prefix) for source in sources)
    assert base64.b64decode(sources[0].removeprefix(prefix)).decode() == SVG


def test_numbers_for_the_charts_are_finite() -> None:
    odd = design("odd", hardware=mapped("none"), ci95_low=math.nan, ci95_high=math.inf)
    data = json.loads(Read(html(page(joint(odd)))).scripts[0], parse_constant=pytest.fail)
    assert (data["points"][0]["low"], data["points"][0]["high"]) == (None, None)


def test_comparisons_are_shown() -> None:
    own = Table(
        "Table 1", (Column("x", HOSTILE), Column("y", "ours", "number", "mm2")), (("a", -1.5),)
    )
    shown = [data for _, data in Read(html(page(comparisons=[own]))).texts]
    assert {"Table 1", HOSTILE, "mm²", "a", "−1.500"} <= set(shown)  # noqa: RUF001


@pytest.mark.parametrize(
    ("unit", "shown"),
    [("mm2", "mm²"), ("uJ us", "µJ·µs"), ("uJ*us", "µJ·µs"), ("uJ", "µJ"), ("ms", "ms"),
     ("% of weights", "% of weights"), ("TOPS/W", "TOPS/W"), ("1/us", "1/µs")],
)  # fmt: skip
def test_units_are_printed_with_their_signs(unit: str, shown: str) -> None:
    assert unit_text(unit) == shown


# --- writing --------------------------------------------------------------------------------------


def test_save_writes_the_whole_page_and_nothing_else(
    content: PageContent, text: str, tmp_path: Path
) -> None:
    target = tmp_path / "index.html"
    save(content, target)
    save(content, target)
    assert target.read_text("utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]
    plain = tmp_path / "plain"
    plain.touch()
    assert target.stat().st_mode == plain.stat().st_mode


def test_save_says_where_it_cannot_write(content: PageContent, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "index.html"
    with refused(ConfigError, code="cannot-write", field=path):
        save(content, path)


def test_failed_save_leaves_the_old_page(
    content: PageContent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "index.html"
    target.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(render_module.os, "fsync", full)
    with refused(ConfigError, code="cannot-write", field=target, says=["space"]):
        save(content, target)
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]


def test_the_title_names_network_chips_and_device() -> None:
    plain = replace(design("plain", hardware=mapped("none")), chip="mine.yaml")
    assert page(joint(plain)).subject == "lenet3 on chip mine.yaml, device rram"
    other = replace(plain, method="other", chip="rram-22nm")
    found = page(joint(plain, other))
    assert found.subject == "lenet3 on chips mine.yaml and rram-22nm, device rram"
    title = re.findall("<title>(.*)</title>", html(found))[0]  # those of the figures follow
    assert "mine.yaml and rram-22nm" in title
