"""Drawing basics of the reports: a palette for light and dark, and figures as inline SVG.

A figure becomes text that a page can hold as it is: the same bytes for the same figure, no
metadata, no fonts of its own (text stays text, in the font of the page, so that every script
shows), colours as CSS variables, so that the page's dark mode reaches into the plots.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# CSS variable → its colour on a light and on a dark page. The light ones name the colour inside
# a figure, so each occurs once.
PALETTE = {
    "ink": ("#1d1c1a", "#eceae6"),
    "muted": ("#67635c", "#a8a49c"),
    "line": ("#dedad2", "#3a3c43"),
    "cgan": ("#c2491d", "#ff9a66"),
    "frequency": ("#85817a", "#9b978f"),
    "series-1": ("#14857b", "#4fc3b5"),
    "series-2": ("#8459b0", "#bd9ae6"),
    "series-3": ("#2f6db5", "#7db2ee"),
    "series-4": ("#8c7a10", "#d3c057"),
    "series-5": ("#b03a78", "#ec8fbf"),
}
WIDTH = 4.4  # inches; 1 unit of the SVG is 1/72 inch, about a pixel on a phone

_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mmcgan",
    "text.parse_math": False,  # a tag may hold a dollar sign
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so text is laid out alike everywhere
    "font.size": 9,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": False,
}
_MAX_LABEL = 22  # characters of a tag beside a plot


def colour(name: str) -> str:
    """Return the colour of a CSS variable as matplotlib takes it."""
    return PALETTE[name][0]


def label(text: str) -> str:
    """Return `text` fit for a plot: without control characters, shortened."""
    visible = "".join(c for c in text if c == " " or unicodedata.category(c)[0] not in "CZ")
    return visible if len(visible) <= _MAX_LABEL else visible[: _MAX_LABEL - 1] + "…"


def label_width(text: str) -> float:
    """Return the width of a label in average letters; East Asian letters and emoji take two."""
    return sum(2.0 if unicodedata.east_asian_width(c) in "WF" else 1.0 for c in text)


@contextmanager
def drawing() -> Iterator[None]:
    """Set what every figure shares; a glyph that the layout font lacks is no cause for a warning.

    The page's own fonts show such a glyph: the layout font only measures text.
    """
    with mpl.rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"Matplotlib currently", category=UserWarning)
        yield


def new_axes(height: float = 2.9, left: float = 0.5, top: float = 0.3) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes; `height` and the margins are in inches."""
    figure = Figure(figsize=(WIDTH, height))
    bottom, right = 0.42, 0.15
    box = (left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (bottom + top) / height)
    axes = figure.add_axes(box)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(colour("line"))
    axes.tick_params(colors=colour("muted"), length=0, pad=4)
    axes.grid(True, axis="y", color=colour("line"), linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Write the names of both axes; that of y lies above the axis, to be read without turning."""
    axes.set_xlabel(x, color=colour("muted"), labelpad=3)
    axes.set_title(y, loc="left", x=0, fontsize=9, color=colour("muted"), pad=8)


def svg(figure: Figure, name: str, alt: str) -> Markup:
    """Return `figure` as an inline SVG element that says `alt` to who cannot see it.

    `name` is the figure's own on the page: it keeps its internal names from others'.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    root = ElementTree.fromstring(buffer.getvalue().encode())
    _remove_metadata(root)
    for element in root.iter():
        _make_inline(element, name)
    view = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib |= {"class": "plot", "viewBox": view, "role": "img", "aria-label": alt}
    # Text has been escaped by the serialiser, so this is safe in a page.
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _remove_metadata(root: ElementTree.Element) -> None:
    """Remove the file's metadata and its style sheet, which would reach the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)


def _make_inline(element: ElementTree.Element, name: str) -> None:
    """Turn an element of a file into one of a page: no namespaces, ids apart, colours by name."""
    element.tag = element.tag.rpartition("}")[2]
    element.tail = None
    if element.tag == "g":
        element.text = None
        element.attrib.pop("id", None)
    for key, value in list(element.attrib.items()):
        del element.attrib[key]
        element.attrib[key.rpartition("}")[2]] = _inline_value(key.rpartition("}")[2], value, name)


def _inline_value(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "style":
        return _inline_style(value)
    if key == "d":
        return " ".join(value.split())
    return re.sub(r"^(url\()?#", lambda found: f"{found[0]}{name}-", value)


def _inline_style(style: str) -> str:
    """Return the declarations without font families, and with the palette's variables."""
    kept = []
    for declaration in style.split("; "):
        key, _, value = declaration.partition(": ")
        if key == "font":  # older matplotlib writes weight, size and families in one
            size = re.search(r"[\d.]+px", value)
            key, value = "font-size", size[0] if size else "9px"
        if key not in ("font-family", ""):
            kept.append(f"{key}:{_VARIABLES.get(value, value)}")
    return ";".join(kept)


_VARIABLES = {light: f"var(--{name},{light})" for name, (light, _) in PALETTE.items()}
