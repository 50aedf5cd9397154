"""End-to-end target attention (ETA): the search of SIM, by hash codes of the moment.

Chen et al., "End-to-End User Behavior Retrieval in Click-Through Rate Prediction
Model", arXiv:2108.04468, 2021. Dimension letters as in `sim`; ``H`` is here the number
of bits of a code (the paper's m).
"""

import torch
from torch import Tensor, nn

from recsys_tutorial.layers import positive


class HashSearch(nn.Module):
    """SimHash: the steps whose codes differ least from the candidate's.

    A bit says on which side of a random hyperplane an embedding lies; two embeddings
    at the angle theta differ in a share ``theta / pi`` of the bits, on average. The
    hyperplanes are drawn once and stay: they are no parameter, and no gradient passes
    the codes. What learns is the embeddings, and their codes are taken anew each time.
    Of steps at one distance the later is found first (not in the paper). For `SIM`'s
    argument `search`.

    Parameters
    ----------
    width : int
        ``D``.
    bits : int
        ``H``; the paper sees little gain beyond twice the width.
    seed : int
        Draws the hyperplanes.
    """

    def __init__(self, width, bits=64, seed=0):
        super().__init__()
        shape = positive("width", width), positive("bits", bits)
        draw = torch.Generator().manual_seed(seed)
        self.register_buffer("planes", torch.randn(shape, generator=draw))

    def forward(self, ids, candidate_ids, history, candidate):
        with torch.no_grad():
            step, target = self.signs(history), self.signs(candidate)
            same = (step @ target.unsqueeze(2)).squeeze(2)  # bits alike - bits unlike
            distance = (self.planes.shape[1] - same) / 2  # (B, L), Hamming's
            later = torch.arange(ids.shape[1]) / ids.shape[1]  # in [0, 1)
            return later - distance, ids > 0

    def signs(self, embeddings: Tensor) -> Tensor:
        """Codes as -1 and 1: ``(..., D)`` -> ``(..., H)`` floats."""
        return torch.where(embeddings @ self.planes > 0, 1.0, -1.0)


def pack(bits: Tensor) -> Tensor:
    """Codes as they are stored: ``(..., H)`` bools to ``(..., H / 8)`` uint8."""
    if bits.dtype != torch.bool or bits.shape[-1] % 8:
        raise ValueError(
            f"bits has dtype {bits.dtype} and {bits.shape[-1]} in a code; expected "
            "torch.bool and a multiple of 8"
        )
    powers = 2 ** torch.arange(8, dtype=torch.uint8)
    return (bits.unflatten(-1, (-1, 8)) * powers).sum(-1, dtype=torch.uint8)


def hamming(a: Tensor, b: Tensor) -> Tensor:
    """Bits in which packed codes differ: XOR, then a count; ``(..., bytes)`` -> int64.

    The leading dimensions are broadcast.
    """
    for name, codes in (("a", a), ("b", b)):
        if codes.dtype != torch.uint8 or codes.shape[-1] != a.shape[-1]:
            raise ValueError(
                f"{name} has dtype {codes.dtype} and {codes.shape[-1]} bytes; expected "
                f"torch.uint8 and {a.shape[-1]}"
            )
    return POPCOUNT[(a ^ b).long()].sum(-1)


POPCOUNT = torch.tensor([bin(byte).count("1") for byte in range(256)])
