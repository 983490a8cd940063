"""The page as one HTML file that needs no other, and no network."""

from __future__ import annotations

import base64
import hashlib
import math
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim import __version__
from archsim.errors import Code, ConfigError
from archsim.results.breakdown import BROKEN_DOWN
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from reports.figures.style import COLOURS, TSB_COLOUR
from reports.page.content import PageContent
from reports.page.curves import curves_data, curves_table
from reports.page.designs import core_columns, points_table
from reports.tables.breakdown import LEAKAGE, REST, Breakdown, Part, parts_table
from reports.tables.table import Cell, Kind, show
from reports.units import unit_text

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
#: Parts of the page's script, in the order in which they run.
_SCRIPTS = ("tables.js", "page.js", "curves.js")
#: File and read permissions of a page, before the umask: those of any new file.
_MODE = 0o666
#: The house's colours but grey, which is for the rest, and four of Tol's muted scheme (SRON/EPS/TN
#: 09-002, 2021): there are more components than the house has colours.
_COLOURS = (*COLOURS[:-1], "#332288", "#882255", "#44AA99", "#999933")


def html(content: PageContent) -> str:
    """Render the page.

    All text is escaped, and the file carries a policy that forbids every request and every script
    but its own two, so that names from YAML can do nothing even if an escape were missing.

    Args:
        content: of :func:`reports.page.collect`.
    """
    library = files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
    core = core_columns()
    script = "\n".join((_HERE / name).read_text("utf-8") for name in _SCRIPTS)
    return environment().get_template("page.html").render(
        content=content,
        core=core if len(content.sigmas) > 1 else core - {"sigma"},
        points_table=points_table(content.points, content.metrics),
        quantities=[part.title for part in BROKEN_DOWN],
        components_table=parts_table("Components", content.breakdowns, layers=False),
        layers_table=parts_table("Layers", content.breakdowns, layers=True),
        curves_table=curves_table(content.curves),
        data=_chart_data(content),
        css=(_HERE / "page.css").read_text("utf-8"),
        library=library,
        script=script,
        hashes=[script_hash(library), script_hash(script)],
        version=__version__,
    )  # fmt: skip


def _not_written(path: Path, error: OSError) -> ConfigError:
    return ConfigError.of(Code.CANNOT_WRITE, path, problem=f"cannot be written: {error}")


def save(content: PageContent, path: Path) -> None:
    """Write the page; whoever reads meanwhile sees the old one or the new one, whole.

    Args:
        content: of :func:`reports.page.collect`.
        path: of the HTML file.

    Raises:
        ConfigError: a place that cannot be written to.
    """
    write_page(html(content), path)


def write_page(text: str, path: Path) -> None:
    """Write a page; whoever reads meanwhile sees the old one or the new one, whole.

    Args:
        text: of the HTML file.
        path: of it.

    Raises:
        ConfigError: a place that cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(_MODE & ~_umask())
        part.replace(path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def environment() -> Environment:
    """Return what fills the templates of pages; all text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        cell=_cell, raw=_raw, unit=unit_text, image=_data_url, plain_title=_one_line
    )
    # `tojson` escapes <, >, & and ': nothing in the data can end its script element.
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": True}
    return made


def script_hash(script: str) -> str:
    """Return the source expression that lets a script run under the page's policy."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"sha256-{digest}"


def _cell(value: Cell, kind: Kind) -> str:
    """Return the text of a cell, with typographic minus and dash."""
    text = show(value, kind)
    if isinstance(value, str):
        return text
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    return text.replace("-", "\N{MINUS SIGN}")


def _raw(value: Cell) -> str:
    """Return what a cell is sorted by: the whole number, or the text."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return value if isinstance(value, str) else repr(float(value))


def _one_line(title: str) -> str:
    """Return a heading of a terminal table, which may be broken in a word, as one line."""
    return title.replace("-\n", "").replace("\n", " ")


def _data_url(svg: str) -> str:
    """Return a drawing as an image: what is in it cannot run, and its ids stay its own."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _chart_data(content: PageContent) -> dict[str, Any]:
    """Return what the script draws; numbers are finite or None."""
    known = [metric.key for metric in content.metrics]
    return {
        "metrics": [
            {"key": metric.key, "label": metric.label, "unit": unit_text(metric.unit)}
            for metric in content.metrics
        ],
        "starts": [_start(metric.key, known) for metric in shown_in(Place.REPORT_FIGURE)],
        "sigmas": list(content.sigmas),
        "sigma": content.sigma,
        "points": [
            {
                "label": point.label,
                "sigma": point.sigma,
                "design": point.placement,
                "accuracy": point.accuracy,
                "low": point.low,
                "high": point.high,
                "values": point.values,
                "recommended": point.recommended,
            }
            for point in content.points
        ],
        "breakdowns": [_breakdown_data(breakdown) for breakdown in content.breakdowns],
        "quantities": [[part.title, unit_text(part.unit)] for part in BROKEN_DOWN],
        "rests": [LEAKAGE, REST],
        "curves": [curves_data(curves) for curves in content.curves],
        "colours": {"series": list(_COLOURS), "block": TSB_COLOUR},
    }


def _start(wanted: str, known: list[str]) -> str | None:
    if wanted in known:
        return wanted
    return known[0] if known else None


def _breakdown_data(breakdown: Breakdown) -> dict[str, Any]:
    return {
        "designs": list(breakdown.designs),
        "components": [_part_data(part) for part in breakdown.components],
        "layers": [_part_data(part) for part in breakdown.layers],
    }


def _part_data(part: Part) -> dict[str, Any]:
    return {"name": part.name, "values": list(part.values), "block": part.shared_block}
