"""The page of the joint report: collected as plain data, rendered as one self-contained file."""

from reports.page.content import PageContent, collect
from reports.page.figure import PageFigure, from_figure
from reports.page.render import html, save

__all__ = ["PageContent", "PageFigure", "collect", "from_figure", "html", "save"]
