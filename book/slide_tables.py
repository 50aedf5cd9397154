"""Tables on slides: cut between rows, in letters as large as their width allows."""

import re

import excerpts

SIZES = (19, 27)
CLAIM_SIZE = 23


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
    columns = zip(*map(_cells, [_head(start), *rows]), strict=False)
    needs = [
        1.15 * max(excerpts.ems(excerpts.plain(cell)) for cell in c) for c in columns
    ]
    if claims:  # its columns have a width of their own, see slides.css
        wide = [share * width / size for share in (0.46, 0.32, 0.1)]
    else:
        wanted = width / (sum(needs) + 1.2 * len(needs))
        size = max(SIZES[0], min(SIZES[1], wanted))
        inner = 0.95 * width / size - 1.2 * len(needs)
        wide = [min(n, max(inner / len(needs), n * inner / sum(needs))) for n in needs]
    heights = [size * (1.42 * _lines(row, wide) + 0.5) for row in rows]
    head = sum(
        size * (1.42 * _lines(row, wide) + 0.5)
        for row in re.findall(r"<tr\b.*?</tr>", start)
    )
    groups = balanced(heights, room - head)
    found, first = [], 0
    for count in groups:
        part = start + "".join(rows[first : first + count]) + end
        height = head + sum(heights[first : first + count]) + 20
        found.append((part, size, height))
        first += count
    return found


def _lines(row: str, wide: list[float]) -> float:
    """Say how many lines a row of a table takes, its columns being so wide."""
    return max(
        sum(
            max(1, -(-1.15 * excerpts.ems(excerpts.plain(line)) // (width + 0.01)))
            for line in cell.split("<br>")
        )
        for cell, width in zip(_cells(row), wide, strict=False)
    )


def _head(start: str) -> str:
    """Give the row of a table's head whose cells stand for one column each."""
    rows = re.findall(r"<tr\b.*?</tr>", start, re.S)
    single = [row for row in rows if "colspan" not in row]
    head = max(single or rows, key=lambda row: len(excerpts.plain(row)))
    return re.sub(r"(<t[hd]\b[^>]*>)(.*?)(?=</t)", _longest_word, head, flags=re.S)


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
