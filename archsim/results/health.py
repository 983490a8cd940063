"""What ``archsim doctor`` finds on a machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        group: which part: versions, machine, folders, data, extras, self-test.
        name: what was looked at.
        found: what was found, as text.
        ok: whether archsim works with that; an optional part that is missing is ok.
        advice: what to do, "" where there is nothing to do.
    """

    group: str
    name: str
    found: str
    ok: bool = True
    advice: str = ""


@dataclass(frozen=True)
class Health:
    """All checks, in order."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is broken."""
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the command."""
        return {"schema": 1, "ok": self.ok, "checks": [asdict(check) for check in self.checks]}
