"""Pages of the reference that are lists of the program, written anew by every build."""

from __future__ import annotations

from pathlib import Path

from site_pages import columns, commands, keys, lists


def write_all(folder: Path) -> None:
    """Write every generated page below ``folder``; what is there and the same stays untouched."""
    pages = {**commands.pages(), **keys.pages(), **columns.pages(), **lists.pages()}
    for name, text in pages.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.rglob("*.md"):
        if str(path.relative_to(folder).with_suffix("")) not in pages:
            path.unlink()
