"""The shipped graphs of the built-in networks are those of this source."""

from __future__ import annotations

from archsim.network import zoo
from archsim.network.kept.shipped import FOLDER, SOURCE
from archsim.network.kept.versions import zoo_source


def test_graphs_follow_from_this_source() -> None:
    said = (FOLDER / SOURCE).read_text().strip()
    mend = "archsim.network has changed; run python -m archsim.network.kept.write_shipped"
    assert said == zoo_source(), mend
    assert {path.stem for path in FOLDER.glob("*.json")} == set(zoo.names()), mend
