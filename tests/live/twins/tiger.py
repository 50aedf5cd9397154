"""Words, and how far from the vector they are, by `ResidualQuantiser`."""

import torch

from recsys_tutorial.models.semantic_ids import ResidualQuantiser

SPAN = {"codes": 0, "word": 0, "same": 0, "distances": 1}
ORDER = set()
BREAKS = {
    "the farthest codeword": ("far.map((d) => -d)", "far"),
    "the residual stays": ("minus(rest, book[code])", "minus(rest, rest)"),
    "every level has the first book": (
        "of data.books)", "of data.books.map(() => data.books[0]))"
    ),
    "a square for a length": ("length(rest) / whole", "length(rest) ** 2 / whole"),
    "one letter too many": ("slice(0, letters).every", "slice(0, letters + 1).every"),
    "the last letter is forgotten": ("data.last[i]]", "0]"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {
            "film": draw.randrange(len(kept["words"]["titles"])),
            "letters": draw.randrange(5),
        }


def answer(numbers, words, state):
    books, z = numbers["books"], numbers["vectors"]
    levels, codewords, dim = books.shape
    model = ResidualQuantiser(dim, codewords, levels)
    with torch.no_grad():
        model.books.copy_(books)
        found = model(z)
    film, t = state["film"], state["letters"]
    word = torch.cat([found.codes, numbers["last"][:, None]], 1)
    rest = [*found.residuals[film], z[film] - found.vector[film]]
    return {
        "codes": found.codes[film],
        "word": word[film],
        "same": (word[:, :t] == word[film, :t]).all(1).int(),
        "distances": torch.stack([r.norm() for r in rest]) / z[film].norm(),
    }
