"""A test that does not run is a gap: in CI it fails the run, unless it is allowed with a reason."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ALLOWED = Path(__file__).parent / "skips.toml"
#: Values of ``CI`` that mean no.
_NO = {"", "0", "false", "no", "off"}
#: Where a worker of xdist leaves its gaps for the process that counts them.
_KEY = "archsim_gaps"


def read_allowed(path: Path) -> dict[str, str]:
    """Return the tests that may be skipped, and why: ids without parameters."""
    return tomllib.loads(path.read_text(encoding="utf-8"))["allowed"]


def in_ci() -> bool:
    """Whether this is a run whose gaps count."""
    return os.environ.get("CI", "").lower() not in _NO


class Gaps:
    """Collects what did not run, in this process and in workers of xdist.

    Registered with pytest as a plugin. What it finds is printed; where ``CI`` is set, all that
    is not allowed fails the run.

    Args:
        allowed: ids of tests without their parameters, and the reason of each.
    """

    def __init__(self, allowed: Mapping[str, str]) -> None:
        self.allowed = allowed
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that was skipped, or failed as was expected."""
        if report.skipped:
            expected = getattr(report, "wasxfail", None)
            reason = _reason(report) if expected is None else f"expected failure: {expected}"
            self.found[report.nodeid] = reason

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that was skipped as a whole."""
        if report.skipped:
            self.found[report.nodeid] = _reason(report)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Tests that -k, -m or --deselect left out."""
        self.found |= {item.nodeid: "deselected" for item in items}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what a worker found, or fail the run."""
        if hasattr(session.config, "workeroutput"):
            # Reports are sent by xdist; what was deselected is known to the worker alone.
            session.config.workeroutput[_KEY] = self.found
        elif in_ci() and self.gaps and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of xdist found."""
        self.found |= getattr(node, "workeroutput", {}).get(_KEY, {})

    @property
    def gaps(self) -> dict[str, str]:
        """What did not run and is not allowed to."""
        return {name: why for name, why in self.found.items() if _test(name) not in self.allowed}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what did not run, and which of it is allowed."""
        if not self.found or not in_ci():
            return
        gaps, write = self.gaps, terminalreporter.line
        terminalreporter.section("tests that did not run")
        for name, why in sorted(self.found.items()):
            if name not in gaps:
                write(f"ALLOWED {name}: {why} ({self.allowed[_test(name)]})")
        for name, why in sorted(gaps.items()):
            write(f"GAP {name}: {why}", red=True)
        if gaps:
            write(
                f"{len(gaps)} tests did not run: in CI that is a failure. Let them run, or allow "
                f"them in tests/{ALLOWED.name} with a reason.",
                red=True,
            )


def _test(name: str) -> str:
    """Return the id of a test without its parameters."""
    return re.sub(r"\[.*", "", name, flags=re.DOTALL)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a report was skipped."""
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ")
