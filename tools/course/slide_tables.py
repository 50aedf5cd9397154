"""Tables on slides: cut between rows, in letters as large as their width allows."""

import re

from tools.course import excerpts

SIZES = (19, 27)
CLAIM_SIZE = 23
GOOD = 22
GAP = 1.25  # between columns, in the size of the letters
SMALL = 0.8  # the small print of claims
LATIN = 1.17  # digits and bold letters are wider than those of prose


def cut(
    source: str, width: float, room: float, claims: bool
) -> list[tuple[str, float, float]]:
    """Cut an HTML table into parts that fit, each with the head.

    Parameters
    ----------
    source : str
        The table.
    width, room : float
        What there is for it, across and down, in pixels.
    claims : bool
        Whether it is the table of a chapter's claims, which has a layout of its own.

    Returns
    -------
    list of tuple
        The HTML of each part, the size of its letters, its height.
    """
    size = CLAIM_SIZE
    source = re.sub(r"<style.*?</style>|<p>\d+ rows.*?</p>", "", source, flags=re.S)
    source = re.sub(r"\s*\n\s*", " ", source)
    start, rows, end = re.fullmatch(
        r"(.*<tbody>)(.*)(</tbody>.*)", source, re.S
    ).groups()
    rows = re.findall(r"<tr\b.*?</tr>", rows, re.S)
    rows = _without_spans(rows)
    head = _head(start)
    words = [re.sub(r"(<t[hd]\b[^>]*>)(.*?)(?=</t)", _longest_word, head, flags=re.S)]
    # A head in full, if that leaves the letters a good size; else it may wrap.
    needs = _needs([head, *rows])
    if width / (sum(needs) + GAP * len(needs)) < GOOD:
        needs = _needs([*words, *rows])
    if claims:  # its columns have a width of their own, see slides.css
        wide = [share * width / size for share in (0.46, 0.32, 0.1)]
    else:
        wanted = width / (sum(needs) + GAP * len(needs))
        size = max(SIZES[0], min(SIZES[1], wanted))
        inner = 0.95 * width / size - GAP * len(needs)
        wide = [min(n, max(inner / len(needs), n * inner / sum(needs))) for n in needs]
    heights = [size * (1.42 * _lines(row, wide) + 0.5) for row in rows]
    above = sum(
        size * (1.42 * _lines(row, wide) + 0.5)
        for row in re.findall(r"<tr\b.*?</tr>", start)
    )
    groups = balanced(heights, room - above)
    found, first = [], 0
    for count in groups:
        shown = [rows[first], *map(_once, rows[first + 1 : first + count])]
        part = start + "".join(shown) + end
        height = above + sum(heights[first : first + count]) + 20
        found.append((part, size, height))
        first += count
    return found


def _needs(rows: list[str]) -> list[float]:
    """Say how wide each column would like to be, in the size of its letters."""
    columns = zip(*map(_cells, rows), strict=False)
    return [
        LATIN * max(excerpts.ems(excerpts.plain(cell)) for cell in column)
        for column in columns
    ]


def _lines(row: str, wide: list[float]) -> float:
    """Say how many lines a row of a table takes, its columns being so wide."""
    return max(
        sum(_wrapped(line, width) for line in cell.split("<br>"))
        for cell, width in zip(_cells(row), wide, strict=False)
    )


def _wrapped(line: str, width: float) -> float:
    letter = SMALL if "<small>" in line else LATIN
    need = letter * excerpts.ems(excerpts.plain(line))
    return 1 if need <= width + 0.01 else -(-1.2 * need // width)


def _without_spans(rows: list[str]) -> list[str]:
    """Repeat a cell that spans rows in each of them: a table can then be cut."""
    found, open_ = [], []  # cells that span, and how many more rows they do
    for row in rows:
        again = "".join(cell for cell, left in open_ if left)
        open_ = [(cell, left - 1) for cell, left in open_ if left]
        for cell in _cells(row):
            span = re.search(r' rowspan="(\d+)"', cell)
            if span:
                inner = re.sub(r"<[^>]*>", "", cell)
                open_.append((f'<th class="again">{inner}</th>', int(span[1]) - 1))
        row = re.sub(r' rowspan="\d+"', "", row)
        found.append(re.sub(r"(<tr\b[^>]*>)", rf"\1{again}", row, count=1))
    return found


def _once(row: str) -> str:
    return re.sub(r'<th class="again">.*?</th>', "<th></th>", row)


def _head(start: str) -> str:
    """Give the row of a table's head whose cells stand for one column each."""
    rows = re.findall(r"<tr\b.*?</tr>", start, re.S)
    single = [row for row in rows if "colspan" not in row]
    return max(single or rows, key=lambda row: len(excerpts.plain(row)))


def _longest_word(cell: re.Match) -> str:
    return cell[1] + max(cell[2].split() or [""], key=len)


def _cells(row: str) -> list[str]:
    return re.findall(r"<t[hd]\b.*?</t[hd]>", row, re.S)


def balanced(heights: list[float], room: float) -> list[int]:
    """Divide things of these heights into as few groups as fit, of like size."""
    for groups in range(1, len(heights) + 1):
        even = max(sum(heights) / groups, *heights)
        counts, filled = [0], 0.0
        for height in heights:
            if counts[-1] and (filled + height > room or filled + height / 2 > even):
                counts.append(0)
                filled = 0.0
            counts[-1] += 1
            filled += height
        if len(counts) <= groups:
            return counts
    return [1] * len(heights)
