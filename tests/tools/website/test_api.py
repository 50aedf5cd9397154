import re
from typing import NamedTuple

import pytest

from tools.website.ext import api
from tools.workshop.notebook_files import ROOT

PAGES = [ROOT / "book" / name for name in ("api.md", "api-models.md")]


class Found(NamedTuple):
    place: int


def test_every_module_of_the_package_is_on_one_of_the_pages_once():
    package = ROOT / "recsys_tutorial"
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in package.rglob("*.py")
        if path.stem not in ("__init__", "__main__")
    }
    told = [
        name
        for page in PAGES
        for name in re.findall(r"automodule:: (\S+)", page.read_text("utf-8"))
    ]
    assert sorted(told) == sorted(modules)


def test_of_a_class_of_results_the_fields_are_not_listed_again():
    assert api.leave_out_fields(None, "class", "place", Found.place, False, {})
    assert api.leave_out_fields(None, "class", "f", Found._replace, False, {}) is None
    assert api.leave_out_fields(None, "data", "N", 3, False, {}) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (r"$\sum_u |I_u|$, of users", r":math:`\sum_u |I_u|`, of users"),
        ("``$HOME`` alone", "``$HOME`` alone"),
        ("no formula", "no formula"),
    ],
)
def test_formulas_between_dollars_are_typeset(line, expected):
    lines = [line]
    api.typeset(None, "function", "f", None, {}, lines)
    assert lines == [expected]


def test_a_formula_may_run_over_two_lines():
    lines = ["a $x +", "y$ b"]
    api.typeset(None, "function", "f", None, {}, lines)
    assert lines == ["a :math:`x +", "y` b"]
