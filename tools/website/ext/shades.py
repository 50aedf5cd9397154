"""Drawings in the shades of the page, in the light and in the dark.

Matplotlib draws on white. Lines and bars lose that ground, and the style sheet turns
them over for a dark page as they are. Where a drawing holds a picture, such as a heat
map, the colours have to stay; so its file says by itself how it looks: what is grey,
from the ink to the ground, takes the page's shades. Browsers go by the colour scheme of
the page, whatever chose it; one that does not know of this shows the drawing as on a
light page, on its ground.
"""

import re

PICTURE = "<image"
DARK = "@media (prefers-color-scheme: dark)"
GROUND = 'style="fill: #ffffff"/>'
GREY = re.compile(r"(fill|stroke): #([0-9a-f]{2})\2\2\b")
# As in book.css: --paper in the light; --ink and --paper in the dark.
LIGHT_PAPER, INK, PAPER = "#fdfdfb", "#e3e6e4", "#14181a"


def shaded(svg: str) -> str:
    """Give a drawing of matplotlib's the page's ground, or shades."""
    if PICTURE not in svg:
        return svg.replace(GROUND, 'style="fill: none"/>')
    if DARK in svg:
        return svg
    dark = [f"text {{fill: {INK}}}"]
    for kind, level in sorted(set(GREY.findall(svg))):
        dark.append(rule(kind, level, shade(int(level, 16) / 255)))
    style = f"{rule('fill', 'ff', LIGHT_PAPER)} {DARK} {{{' '.join(dark)}}}"
    return svg.replace("</style>", style + "</style>", 1)


def rule(kind: str, level: str, colour: str) -> str:
    """Give another colour to what is filled, or drawn, in a grey."""
    return f'[style*="{kind}: #{level * 3}"] {{{kind}: {colour} !important}}'


def shade(light: float) -> str:
    """Give the dark page's shade for a grey: its ink for 0, black, its paper for 1."""
    parts = [
        round((1 - light) * int(INK[i : i + 2], 16) + light * int(PAPER[i : i + 2], 16))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


def shade_all(app, exception) -> None:
    """On ``build-finished``: do it for all drawings of the edition."""
    if exception is None:
        for path in (app.outdir / "_images").glob("*.svg"):
            svg = path.read_text(encoding="utf-8")
            path.write_text(shaded(svg), encoding="utf-8")


def setup(app):
    """Do it when all is written."""
    app.connect("build-finished", shade_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
