"""Sphinx builds the documentation from here: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from site_pages import write_all  # noqa: E402 - after the path is set

import archsim  # noqa: E402

project = "archsim"
author = "The archsim authors"
copyright = "The archsim authors, Apache-2.0"
version = release = archsim.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "notebooks", "site_pages"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
autodoc_typehints = "description"
autodoc_member_order = "bysource"
# Names of `archsim` are loaded lazily, from modules of their own.
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "archsim"
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2}
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
linkcheck_anchors = False

write_all(HERE / "reference" / "generated")
