"""What a paper claims, what we measured, and the verdict that follows."""

import html
from dataclasses import asdict, dataclass

from recsys_tutorial.budget import is_quick
from recsys_tutorial.metrics import VARIED, Interval

MIME = "application/vnd.recsys-tutorial.claims+json"
VERDICTS = {
    "holds": ("成立", "holds"),
    "not seen": ("未见", "not seen here"),
    "reversed": ("相反", "reversed"),
    "quick run": ("快速运行，不作结论", "quick run, no verdict"),
}


@dataclass(frozen=True)
class Claim:
    """One statement of a paper beside one measurement of ours.

    Parameters
    ----------
    zh, en : str
        The statement, short, in both languages.
    source : str
        Where the paper says it: ``"Ma et al. 2018, Fig. 4"``.
    measured : Interval
        Our figure: a difference (or a log-ratio) with its 95 % interval, which says
        what varied between the runs.
    quantity : tuple of str
        What was measured, with its unit: ``("中文", "English")``.
    expected : {"above zero", "below zero", "near zero"}
        What the interval should look like if the statement is true here.
    within : tuple of float
        Bounds for the mean that every honest repetition stays in, on any machine.
    near : float
        For "near zero": the half width that still counts as zero.

    Raises
    ------
    ValueError
        If `quantity` is no such pair, or `expected` and `near` do not go together.
    AssertionError
        If the mean is outside of `within`: the text around it may no longer be true.
        A quick run does not ask, since it has hardly trained.
    """

    zh: str
    en: str
    source: str
    measured: Interval
    quantity: tuple[str, str]
    expected: str
    within: tuple[float, float]
    near: float = 0.0

    def __post_init__(self):
        pair = self.quantity if isinstance(self.quantity, tuple) else ()
        if len(pair) != 2 or not all(isinstance(x, str) and x.strip() for x in pair):
            raise ValueError(
                f"quantity is {self.quantity!r}; expected what was measured in both "
                'languages, ("中文", "English")'
            )
        if self.expected not in ("above zero", "below zero", "near zero"):
            raise ValueError(
                f"expected is {self.expected!r}; expected 'above zero', 'below zero' "
                "or 'near zero'"
            )
        if (self.expected == "near zero") != (self.near > 0):
            raise ValueError("near goes with expected='near zero', and is above 0")
        low, high = self.within
        if not is_quick() and not low <= self.measured.mean <= high:
            raise AssertionError(
                f"{self.quantity[1]} is {self.measured.mean:.4g}, outside of "
                f"[{low:g}, {high:g}]: {self.en}"
            )

    @property
    def verdict(self) -> str:
        """ "holds", "not seen" or "reversed", from the interval alone.

        In a quick run it is "quick run", whatever the interval.
        """
        if is_quick():
            return "quick run"
        low, high = self.measured.low, self.measured.high
        if self.expected == "near zero":
            if -self.near <= low and high <= self.near:
                return "holds"
            return "reversed" if low > self.near or high < -self.near else "not seen"
        if self.expected == "below zero":
            low, high = -high, -low
        return "holds" if low > 0 else "reversed" if high < 0 else "not seen"


class Claims:
    """The claims of one chapter; shown as a table, and kept as JSON in the output."""

    def __init__(self, *claims: Claim):
        self.claims = claims

    def records(self) -> list[dict]:
        """One JSON-ready record per claim, the verdict included."""
        return [
            asdict(c)
            | {
                "measured": c.measured._asdict(),
                "quantity": _named(*c.quantity),
                "covers": _named(*covered(c.measured)),
                "verdict": c.verdict,
            }
            for c in self.claims
        ]

    def _repr_html_(self) -> str:
        return table(self.records())

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        plain = "\n".join(
            f"{VERDICTS[c.verdict][1]:>13}  {c.en} ({c.source}): "
            f"{c.quantity[1]} {c.measured} ({covered(c.measured)[1]})"
            for c in self.claims
        )
        return {
            MIME: self.records(),
            "text/html": self._repr_html_(),
            "text/plain": plain,
        }


def table(records: list[dict]) -> str:
    """Records of `Claims.records` as an HTML table in both languages."""
    head = [
        ("论文说", "The paper says"),
        ("本章测得", "We measured"),
        ("结论", "Verdict"),
    ]
    rows = []
    for r in records:
        says = f"{_both(r['zh'], r['en'])}<br><small>{html.escape(r['source'])}</small>"
        m = r["measured"]
        measured = (
            f"{m['mean']:+.3f} [{m['low']:+.3f}, {m['high']:+.3f}]<br>"
            f"<small>{_both(**r['quantity'])}; n = {m['n']}"
            f" ({_both(**r['covers'])})</small>"
        )
        rows.append(
            f'<tr class="{r["verdict"].replace(" ", "-")}"><td>{says}</td>'
            f"<td>{measured}</td><td>{_both(*VERDICTS[r['verdict']])}</td></tr>"
        )
    header = "".join(f'<th scope="col">{_both(*h)}</th>' for h in head)
    return (
        f'<table class="claims"><thead><tr>{header}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def covered(measured: Interval) -> tuple[str, str]:
    """What an interval covers, in Chinese and in English."""
    zh, en = zip(*(VARIED[name] for name in measured.varied), strict=True)
    return "、".join(zh), ", ".join(en)


def _named(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def _both(zh: str, en: str) -> str:
    return (
        f'<span class="lang-zh" lang="zh-CN">{html.escape(zh)}</span>'
        '<span class="lang-dot"> · </span>'
        f'<span class="lang-en" lang="en">{html.escape(en)}</span>'
    )
