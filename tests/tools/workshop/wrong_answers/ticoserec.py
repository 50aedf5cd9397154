"""Typical mistakes in Exercise 4 of the chapter on TiCoSeRec.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import numpy as np

def fill_gaps(items, times, neighbour, most):"""

RIGHT = """
    for _ in range(most):
        gaps = np.diff(times)
        m = len(gaps)
        if m == 0:
            break
        left = m - 1 - int(gaps[::-1].argmax())
        if gaps[left] ** 2 <= 2 * m / (m + 1) * gaps.mean() ** 2:
            break
        items = np.insert(items, left + 1, neighbour[items[left]])
        times = np.insert(times, left + 1, times[left] + gaps[left] // 2)
    return items, times
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


WRONG = {
    "neighbour of the right item": (
        instead("neighbour[items[left]]", "neighbour[items[left + 1]]"),
        "the neighbour of 4",
    ),
    "in front of the left item": (
        instead("items, left + 1,", "items, left,"),
        "the first insert is wrong",
    ),
    "the smallest gap": (instead("argmax", "argmin"), "the first insert is wrong"),
    "all at once": (
        HEAD
        + """
    gaps = np.diff(times)
    m = len(gaps)
    left = np.sort(m - 1 - np.argsort(-gaps[::-1], kind="stable")[:most])
    items = np.insert(items, left + 1, neighbour[items[left]])
    return items, np.insert(times, left + 1, times[left] + gaps[left] // 2)
""",
        "anew after each insert",
    ),
    "the first of equals": (
        instead("m - 1 - int(gaps[::-1].argmax())", "int(gaps.argmax())"),
        "take the latest",
    ),
    "never stops": (
        instead("gaps[left] ** 2 <= 2 * m / (m + 1) * gaps.mean() ** 2", "False"),
        "it was even enough",
    ),
    "any gap above the mean": (
        instead("2 * m / (m + 1) * gaps.mean() ** 2", "gaps.mean() ** 2"),
        "it was even enough",
    ),
    "the mean of the beginning": (
        HEAD
        + RIGHT.replace(" * gaps.mean()", " * mean").replace(
            "for _", "mean = np.diff(times).mean() if len(times) > 1 else 0\n    for _"
        ),
        "stopped too soon",
    ),
    "replaces instead of inserting": (
        instead(
            "np.insert(items, left + 1, neighbour[items[left]])",
            "np.insert(items, left + 1, items[left])",
        ),
        "the first insert is wrong",
    ),
    "the largest gap is split badly": (
        instead("gaps[left] // 2)", "gaps[left] // 4)"),
        "the first insert is wrong",
    ),
    "as many as fit": (
        instead("m == 0", "m == 0 or m > 4"),
        "anew after each insert",
    ),
}
