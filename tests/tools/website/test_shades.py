"""Drawings on the page's ground, in the light and in the dark."""

import json
import re
from xml.etree import ElementTree

import pytest

from tools.website.ext import shades
from tools.workshop import notebook_files

STYLE = '<svg><style type="text/css">*{x: y}</style>'
GROUND = '<path d="M 0 0" style="fill: #ffffff"/>'
LINE = '<path style="fill: none; stroke: #0072b2"/><use style="stroke: #000000"/>'
SVG = "{http://www.w3.org/2000/svg}"


def test_a_drawing_loses_its_ground_and_nothing_else():
    svg = f'{STYLE}{GROUND}{LINE}<path style="fill: #ffffff; stroke: #0072b2"/></svg>'
    expected = svg.replace(GROUND, '<path d="M 0 0" style="fill: none"/>')
    assert shades.shaded(svg) == expected
    assert shades.shaded(expected) == expected


def test_a_heat_map_takes_the_shades_of_the_page():
    svg = f'{STYLE}{GROUND}{LINE}<image href="data:"/><g style="fill: #808080"/></svg>'
    found = shades.shaded(svg)
    assert shades.shaded(found) == found
    style, drawn = found.split("</style>")
    assert drawn == svg.split("</style>")[1]
    light, dark = style.split(shades.DARK)
    assert '[style*="fill: #ffffff"] {fill: #fdfdfb !important}' in light
    rules = re.findall(r'\[style\*="(.*?)"\] \{\w+: (\S+) !important\}', dark)
    assert dict(rules) == {
        "fill: #ffffff": "#14181a",
        "fill: #808080": "#7b7f7f",
        "stroke: #000000": "#e3e6e4",
    }
    assert "text {fill: #e3e6e4}" in dark


def test_the_shades_are_those_of_the_page():
    css = (notebook_files.ROOT / "tools/website/theme/static/book.css").read_text()
    for name, light, dark in (
        ("paper", shades.LIGHT_PAPER, shades.PAPER),
        ("ink", r"#\w+", shades.INK),
    ):
        assert re.search(rf"--{name}: light-dark\({light}, {dark}\);", css)


def heat_maps():
    for path in notebook_files.NOTEBOOKS.rglob("*.ipynb"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                svg = "".join(output.get("data", {}).get("image/svg+xml", ""))
                if shades.PICTURE in svg:
                    yield pytest.param(svg, id=f"{path.stem}-{cell['id']}")


@pytest.mark.parametrize("svg", list(heat_maps()))
def test_no_text_lies_on_a_picture(svg):
    # In the dark it would be drawn in the page's ink, whatever is below it.
    for axes in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if axes.get("id", "").startswith("axes_"):
            frame = axes.find(f"{SVG}g/{SVG}path").get("d")
            top = min(float(y) for y in re.findall(r"[ML] \S+ (\S+)", frame))
            for group in axes.findall(f"{SVG}g"):
                if group.get("id", "").startswith("text_"):
                    assert float(group.find(f"{SVG}text").get("y")) < top
