"""Typical mistakes in the self-checked exercise of the chapter on the pipeline."""

HEAD = """\
from collections import Counter

def capped(kinds, k, most):
    taken, skipped, count = [], [], Counter()
"""

WRONG = {
    "never fills up": (
        HEAD
        + """\
    for place, kind in enumerate(kinds):
        if count[kind] < most:
            count[kind] += 1
            taken.append(place)
    return taken[:k]
""",
        "fill up to k",
    ),
    "one too many of a kind": (
        HEAD
        + """\
    for place, kind in enumerate(kinds):
        if count[kind] <= most:
            count[kind] += 1
            taken.append(place)
        else:
            skipped.append(place)
    return (taken + skipped)[:k]
""",
        "a kind that is full is skipped",
    ),
    "looks at neighbours only": (
        HEAD
        + """\
    run = 0
    for place, kind in enumerate(kinds):
        run = run + 1 if place and kinds[place - 1] == kind else 1
        (taken if run <= most else skipped).append(place)
    return (taken + skipped)[:k]
""",
        "count each kind from the start",
    ),
    "sorted in the end": (
        HEAD
        + """\
    for place, kind in enumerate(kinds):
        if count[kind] < most:
            count[kind] += 1
            taken.append(place)
        else:
            skipped.append(place)
    return sorted((taken + skipped)[:k])
""",
        "comes behind",
    ),
}
