"""A placeholder that works: the same scores by the package."""

SPAN = {"scores": 6}
ORDER = set()
BREAKS = {
    "one step too few": ("slice(-steps)", "slice(1 - steps)"),
    "the first steps count": ("slice(-steps)", "slice(0, steps)"),
    "all scores are doubled": (", user)", ", math.scale(user, 2))"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {"steps": draw.randint(1, 4)}


def answer(numbers, words, state):
    user = numbers["history"][-state["steps"] :].sum(0)
    return {"scores": numbers["candidates"] @ user}
