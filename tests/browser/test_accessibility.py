"""What axe would find, if a page had it; `test_every_page.py` asks every page.

Each sample has one fault. It has many texts without it, too, as `grave` weighs the
contrast of three of a kind alone.
"""

import pytest

SAMPLE = """<!DOCTYPE html>
<html lang="en"><head><title>Sample</title><style>
:root { color-scheme: light dark; background: light-dark(#fff, #111); }
p { color: light-dark(#111, #fff); }
%s
</style></head><body><main><h1>Sample</h1>%s%s</main></body></html>"""
TEXTS = "<p>One of many.</p>" * 20


@pytest.mark.parametrize(
    ("style", "body", "light", "dark"),
    [
        ("", "<p>Nothing is wrong.</p>", "", ""),
        ("#a { color: light-dark(#ccc, #fff) }", "<p id=a>Pale.</p>", "contrast", ""),
        ("#a { color: light-dark(#111, #333) }", "<p id=a>Dim.</p>", "", "contrast"),
        (
            "#a { background: light-dark(#fff, #ccc) }",
            "<div id=a><p>On a ground of its own.</p></div>",
            "",
            "contrast",
        ),
        (
            "#a { opacity: 0.2 }",
            "<p id=a>See-through.</p>",
            "contrast",
            "contrast",
        ),
        (
            "a { color: light-dark(#222, #eee); text-decoration: none }",
            "<p>This is <a href='/'>a link</a> like any word.</p>",
            "link-in-text-block",
            "link-in-text-block",
        ),
        ("", "<img src='data:,'>", "image-alt", ""),
        ("", "<button></button>", "button-name", ""),
        ("", "<input>", "label", ""),
    ],
)
def test_axe_finds_a_fault(visit, grave, style, body, light, dark):
    page = visit("404.html")
    page.set_content(SAMPLE % (style, TEXTS, body))
    for theme, expected in (("light", light), ("dark", dark)):
        found = grave(page, theme)
        assert len(found) == bool(expected), theme
        assert expected in "".join(found), theme


def test_axe_finds_a_fault_that_only_a_phone_shows(visit, grave):
    page = visit("404.html", viewport={"width": 1280, "height": 720})
    style = "@media (max-width: 400px) { #a { color: #ccc } }"
    page.set_content(SAMPLE % (style, TEXTS, "<p id=a>Pale on a phone.</p>"))
    assert [grave(page, theme) for theme in ("light", "dark")] == [[], []]
    page.set_viewport_size({"width": 390, "height": 844})
    assert "contrast" in "".join(grave(page, "light"))
