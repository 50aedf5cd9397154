"""Typical mistakes in Exercise 4 of the chapter on TIGER.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """def spell(next_letter, words, k):"""

RIGHT = """
    beginnings = {word[:t] for word in words for t in range(len(word) + 1)}
    beams = [(0.0, ())]
    for _ in range(len(words[0])):
        grown = [(total + p, (*beginning, letter))
                 for total, beginning in beams
                 for letter, p in enumerate(next_letter(beginning))
                 if (*beginning, letter) in beginnings]
        beams = sorted(grown, reverse=True)[:k]
    return beams
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


WRONG = {
    "nothing holds the search": (
        instead("if (*beginning, letter) in beginnings", "if True"),
        "(0, 2) is not in the catalogue",
    ),
    "held at the end alone": (
        HEAD
        + RIGHT.replace("if (*beginning, letter) in beginnings", "if True").replace(
            "return beams", "return [found for found in beams if found[1] in words]"
        ),
        "(0, 2) is not in the catalogue",
    ),
    "the last letter alone counts": (
        instead("(total + p,", "(p,"),
        "the score is the sum over letters",
    ),
    "probabilities, not their logarithms": (
        instead("(total + p,", "(total + 2.718281828459045 ** p,"),
        "the score is the sum over letters",
    ),
    "the worst first": (
        instead("sorted(grown, reverse=True)[:k]", "sorted(grown)[:k]"),
        "one beam goes to 0",
    ),
    "k of each beginning": (
        HEAD
        + """
    beginnings = {word[:t] for word in words for t in range(len(word) + 1)}
    beams = [(0.0, ())]
    for _ in range(len(words[0])):
        grown = []
        for total, beginning in beams:
            own = [(total + p, (*beginning, letter))
                   for letter, p in enumerate(next_letter(beginning))
                   if (*beginning, letter) in beginnings]
            grown += sorted(own, reverse=True)[:k]
        beams = sorted(grown, reverse=True)
    return beams
""",
        "two beams find (1, 1)",
    ),
    "the tree knows the last letter alone": (
        instead(
            "in beginnings]",
            "in beginnings or letter in {w[len(beginning)] for w in words}]",
        ),
        "a wide beam finds all words, no others",
    ),
    "one beam, whatever is asked for": (
        instead("[:k]", "[:1]"),
        "two beams find (1, 1)",
    ),
}
