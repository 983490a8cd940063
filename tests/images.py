"""Whether a file is an image; what it shows is for the collector's numbers and the axes to tell."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def assert_image(path: Path) -> None:
    """Check that a file is a whole image of the format that its ending says.

    Args:
        path: ends in `.png`, `.svg` or `.pdf`.
    """
    if path.suffix == ".png":
        with Image.open(path) as image:
            assert image.format == "PNG"
            image.load()  # to its last byte
            extrema = image.convert("L").getextrema()
        assert extrema[0] != extrema[1], "an empty image"
        return
    content = path.read_bytes()
    start, end = {".svg": (b"<?xml", b"</svg>"), ".pdf": (b"%PDF", b"%%EOF")}[path.suffix]
    assert content.startswith(start)
    assert content.rstrip().endswith(end)
