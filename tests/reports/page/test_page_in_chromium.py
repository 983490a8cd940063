"""The page of the joint report in a real browser: it draws, sorts, marks, and stays quiet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.page import save
from tests.reports.page.pages import HOSTILE, design, joint, page

BROWSER, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BROWSER.is_file() and DRIVER.is_file()),
        reason=f"needs {BROWSER} and {DRIVER}: apt-get install chromium chromium-driver",
    ),
]
_SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for switch in _SWITCHES:
        options.add_argument(switch)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(str(DRIVER))
    own = webdriver.Chrome(options=options, service=service)
    yield own
    own.quit()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    save(page(), path)
    return path


def load(driver: Any, path: Path, *, width: int = 1280, dark: bool = False) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    features = [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    driver.get("about:blank")  # else it is a reload, which remembers the theme
    driver.get(path.as_uri())
    wait(driver, lambda: js(driver, "return document.documentElement.dataset.ready") == "true")


def wait(driver: Any, condition: Callable[[], bool]) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 30).until(lambda _: condition())


def js(driver: Any, code: str, *arguments: object) -> Any:
    return driver.execute_script(code, *arguments)


def click(driver: Any, element: Any) -> None:
    """Click, away from the bar at the top, which selenium does not know of."""
    js(driver, "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    element.click()


def choose(driver: Any, name: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(driver.find_element("id", name)).select_by_value(value)


def visible_rows(driver: Any) -> list[str]:
    return js(
        driver,
        "return [...document.querySelectorAll('#designs-table tbody tr')]"
        ".filter(row => !row.hidden).map(row => row.querySelector('th label').innerText.trim())",
    )


def marked(driver: Any) -> list[str]:
    return js(
        driver,
        "return [...document.querySelectorAll('#designs-table tr.marked th label')]"
        ".map(label => label.innerText.trim())",
    )


def axis_title(driver: Any, chart: str) -> str:
    return js(driver, f"return document.querySelector('#{chart} .xtitle').textContent")


@pytest.fixture
def opened(driver: Any, file: Path) -> Any:
    load(driver, file)
    driver.get_log("browser")
    return driver


def test_nothing_is_complained_about_and_nothing_is_fetched(driver: Any, file: Path) -> None:
    load(driver, file)
    for quantity in ("0", "1", "2"):
        choose(driver, "quantity", quantity)
    choose(driver, "sigma", "")
    assert driver.get_log("browser") == []
    fetched = "return performance.getEntriesByType('resource').map(own => own.name)"
    assert [name for name in js(driver, fetched) if not name.startswith("data:")] == []


def test_hostile_names_do_nothing(opened: Any) -> None:
    assert js(opened, "return window.hacked === undefined")
    assert HOSTILE in visible_rows(opened)
    drawn = js(opened, "return document.querySelector('#chart-components').textContent")
    assert "and 2 more" in drawn
    choose(opened, "sigma", "0.2")
    assert js(opened, "return window.hacked === undefined")


def test_policy_stops_scripts_and_requests_that_get_in_anyway(opened: Any) -> None:
    js(
        opened,
        "const own = document.createElement('script'); own.textContent = 'window.hacked = 1';"
        "document.body.append(own)",
    )
    assert js(opened, "return window.hacked === undefined")
    stopped = opened.execute_async_script(
        "const done = arguments[0]; fetch('data:,x').then(() => done(false), () => done(true))"
    )
    assert stopped


def test_table_sorts_by_mouse_and_by_keyboard(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    def column() -> list[float]:
        return js(
            opened,
            "const at = [...document.querySelectorAll('#designs-table thead th')]"
            ".findIndex(own => own.textContent.includes('accuracy'));"
            "return [...document.querySelectorAll('#designs-table tbody tr')]"
            ".filter(row => !row.hidden).map(row => Number(row.cells[at].dataset.value))",
        )

    heading = next(
        own
        for own in opened.find_elements("css selector", "#designs-table thead th")
        if "accuracy" in own.text
    )
    button = heading.find_element("tag name", "button")
    before = column()
    assert before != sorted(before)
    click(opened, button)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(before)
    button.send_keys(Keys.ENTER)
    assert heading.get_attribute("aria-sort") == "descending"
    assert column() == sorted(before, reverse=True)
    others = opened.find_elements("css selector", "th[aria-sort='none']")
    assert len(others) == len(opened.find_elements("css selector", "th[aria-sort]")) - 1


def test_filter_and_sigma_choose_rows(opened: Any) -> None:
    assert len(visible_rows(opened)) == 5
    assert opened.find_element("id", "designs-title").text == "Designs at sigma 0.1"
    field = opened.find_element("id", "filter")
    field.send_keys("tsb")
    assert visible_rows(opened) == ["TSB (common)", "TSB (separate)"]
    choose(opened, "sigma", "")
    assert len(visible_rows(opened)) == 4
    assert opened.find_element("id", "designs-title").text == "Designs at every sigma"
    assert "4 of 10 designs" in opened.find_element("id", "status").text


def test_filter_takes_conditions_on_columns(opened: Any) -> None:
    field = opened.find_element("id", "filter")
    field.send_keys("accuracy > 90.5, tsb")
    assert visible_rows(opened) == ["TSB (common)", "TSB (separate)"]
    field.clear()
    field.send_keys("EDP < 1")
    assert "TSB (common)" not in visible_rows(opened)
    assert visible_rows(opened)
    field.clear()
    field.send_keys("edq < 1")
    assert "no column edq" in opened.find_element("id", "status").text
    assert len(visible_rows(opened)) == 5
    for half in ("edp > abc", "edp <", "= 3"):
        field.clear()
        field.send_keys(half)
        assert f"not understood: {half}" in opened.find_element("id", "status").text
        assert len(visible_rows(opened)) == 5


def test_every_other_table_sorts_too(opened: Any) -> None:
    click(opened, opened.find_element("css selector", "#components-data summary"))
    heading = next(
        own
        for own in opened.find_elements("css selector", "#components-data thead th")
        if "energy" in own.text
    )
    click(opened, heading.find_element("tag name", "button"))
    assert heading.get_attribute("aria-sort") == "ascending"
    values = js(
        opened,
        "return [...document.querySelectorAll('#components-data tbody tr')]"
        ".map(row => Number(row.cells[arguments[0].cellIndex].dataset.value))",
        heading,
    )
    assert values == sorted(values)


def test_curves_of_a_sweep_can_be_looked_at_from_both_sides(opened: Any) -> None:
    assert axis_title(opened, "chart-curves") == "channels of the shared block"
    traces = "return document.getElementById('chart-curves').data.map(own => own.y)"
    assert [91.5, 92.5] in js(opened, traces)
    choose(opened, "curve-metric", "area_mm2")
    choose(opened, "curve-axis", "chip.precision.bits_per_cell")
    wait(opened, lambda: axis_title(opened, "chart-curves") == "bits per cell")
    title = "return document.querySelector('#chart-curves .ytitle').textContent"
    assert js(opened, title) == "area, mm²"
    assert js(opened, "return window.hacked === undefined")
    assert opened.get_log("browser") == []


def test_all_columns_are_a_click_away(opened: Any) -> None:
    count = (
        "return [...document.querySelectorAll('#designs-table thead th')]"
        ".filter(own => own.offsetParent).length"
    )
    before = js(opened, count)
    click(opened, opened.find_element("id", "all-columns"))
    assert js(opened, count) > before


def test_hover_shows_the_design_and_its_numbers(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    chart = opened.find_element("id", "chart-first")
    js(opened, "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)
    # The first trace is the front; then no block, common, separate.
    point = opened.find_elements("css selector", "#chart-first .scatterlayer .trace .points")[2]
    ActionChains(opened).move_to_element(point.find_element("tag name", "path")).perform()
    find = "return document.querySelector('#chart-first .hoverlayer')?.textContent ?? ''"
    wait(opened, lambda: "TSB (common)" in js(opened, find))
    shown = js(opened, find)
    assert "accuracy 91.00 % (90.60 to 91.60)" in shown
    assert "EDP 16.8 µJ·µs" in shown


def drag_around(driver: Any, element: Any, margin: float = 25.0) -> None:
    """Draw a rectangle around the middle of an element, as a mouse does."""
    box = js(
        driver, "const own = arguments[0].getBoundingClientRect(); return own.toJSON()", element
    )
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    steps = [("mouseMoved", -1.0), ("mousePressed", -1.0), ("mouseMoved", 0.0)]
    steps += [("mouseMoved", 1.0), ("mouseReleased", 1.0)]
    for step, (kind, share) in enumerate(steps):
        event = {"type": kind, "x": middle[0] + share * margin, "y": middle[1] + share * margin}
        held = 0 if kind == "mouseReleased" or step == 0 else 1
        event |= {"button": "left", "buttons": held, "clickCount": 1}
        driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def test_rectangle_in_a_chart_marks_rows_and_bars(opened: Any) -> None:
    chart = opened.find_element("id", "chart-first")
    js(opened, "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)
    points = opened.find_elements("css selector", "#chart-first .scatterlayer .trace .points")
    drag_around(opened, points[2].find_element("tag name", "path"))
    wait(opened, lambda: marked(opened) == ["TSB (common)"])
    assert opened.find_element("css selector", "tr.marked .mark").is_selected()
    bars = "return document.querySelectorAll('#chart-layers .annotation').length"
    wait(opened, lambda: js(opened, bars) == 1)
    click(opened, opened.find_element("id", "unmark"))
    wait(opened, lambda: marked(opened) == [])
    wait(opened, lambda: js(opened, bars) == 3)
    assert js(opened, "return document.querySelectorAll('.selectionlayer path').length") == 0


def test_box_in_a_row_marks_points(opened: Any) -> None:
    faint = (
        "return [...document.querySelectorAll('#chart-first .scatterlayer .point')]"
        ".filter(own => Number(own.style.opacity) < 0.5).length"
    )
    assert js(opened, faint) == 0
    click(opened, opened.find_elements("css selector", ".mark")[0])
    wait(opened, lambda: js(opened, faint) == 4)
    assert marked(opened) == ["plain"]
    only = opened.find_element("id", "only-marked")
    click(opened, only)
    assert visible_rows(opened) == ["plain"]
    click(opened, opened.find_element("id", "unmark"))
    wait(opened, lambda: len(visible_rows(opened)) == 5)
    assert not only.is_selected()
    assert not only.is_enabled()


def test_metric_changes_the_axis(opened: Any) -> None:
    assert axis_title(opened, "chart-first") == "EDP, µJ·µs"
    assert axis_title(opened, "chart-second") == "write pulses"
    choose(opened, "metric-first", "programming_time_ms")
    wait(opened, lambda: axis_title(opened, "chart-first") == "programming time, ms")
    kind = js(opened, "return document.getElementById('chart-first').layout.xaxis.type")
    assert kind == "log"
    choose(opened, "quantity", "0")
    wait(opened, lambda: axis_title(opened, "chart-layers") == "area, mm²")
    click(opened, opened.find_element("id", "shares"))
    wait(opened, lambda: axis_title(opened, "chart-layers") == "share of the area, %")


def test_error_bars_are_the_intervals(opened: Any) -> None:
    trace = js(opened, "return document.getElementById('chart-first').data[1]")
    low, high = trace["error_y"]["arrayminus"], trace["error_y"]["array"]
    assert low == pytest.approx([0.4] * 3, rel=1e-6, abs=0)
    assert high == pytest.approx([0.6] * 3, rel=1e-6, abs=0)


def brightness(driver: Any) -> float:
    colour = js(driver, "return getComputedStyle(document.body).backgroundColor")
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3


def test_dark_follows_the_system_and_the_button_and_is_remembered(driver: Any, file: Path) -> None:
    load(driver, file, dark=True)
    assert brightness(driver) < 60
    drawing = "return getComputedStyle(document.querySelector('.drawn img')).filter"
    assert js(driver, drawing).startswith("invert")
    button = driver.find_element("id", "theme")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert brightness(driver) > 200
    assert js(driver, drawing) == "none"
    driver.refresh()
    wait(driver, lambda: js(driver, "return document.documentElement.dataset.ready") == "true")
    assert brightness(driver) > 200
    ink = "return getComputedStyle(document.querySelector('#chart-first .xtitle')).fill"
    light = js(driver, ink)
    driver.find_element("id", "theme").click()
    assert js(driver, ink) != light
    load(driver, file)
    assert brightness(driver) > 200, "another visit starts as the system says"


@pytest.mark.parametrize("width", [320, 768, 1280, 1920])
def test_page_never_scrolls_sideways(driver: Any, file: Path, width: int) -> None:
    load(driver, file, width=width)
    for closed in driver.find_elements("tag name", "summary"):
        js(driver, "arguments[0].parentElement.open = true", closed)
    assert js(driver, "return innerWidth") == width
    assert js(driver, "return document.documentElement.scrollWidth") <= width
    widest = js(
        driver,
        "return Math.max(...[...document.querySelectorAll('.chart .main-svg')]"
        ".map(own => own.getBoundingClientRect().right))",
    )
    assert widest <= width


def test_paper_gets_no_controls(opened: Any) -> None:
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = js(
        opened,
        "return [...document.querySelectorAll('button, select, input')]"
        ".filter(own => own.offsetParent && !own.matches('.sort')).length",
    )
    assert shown == 0
    js(opened, "window.dispatchEvent(new Event('beforeprint'))")
    assert len(visible_rows(opened)) == 10, "paper has every sigma"
    js(opened, "window.dispatchEvent(new Event('afterprint'))")
    assert len(visible_rows(opened)) == 5
    printed = opened.print_page()
    assert len(printed) > 10_000
    assert opened.get_log("browser") == []


def test_keyboard_reaches_the_answer_first_with_visible_focus(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(opened).send_keys(Keys.TAB).perform()
    focus = opened.switch_to.active_element
    assert focus.text == "Skip to the answer"
    assert js(opened, "return getComputedStyle(arguments[0]).outlineStyle", focus) == "solid"
    ActionChains(opened).send_keys(Keys.ENTER).perform()
    assert opened.switch_to.active_element.get_attribute("id") == "main"


def test_page_without_accuracy_or_designs_runs_too(driver: Any, tmp_path: Path) -> None:
    for name, result in (("none", joint()), ("bare", joint(design("plain", accuracy=None)))):
        path = tmp_path / f"{name}.html"
        save(page(result), path)
        load(driver, path)
        assert driver.get_log("browser") == []
