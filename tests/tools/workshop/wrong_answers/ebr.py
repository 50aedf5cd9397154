"""Typical mistakes in Exercise 4 of the chapter on EBR.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def in_batch_loss(users, items, ids, clusters):"""

RIGHT = """
    scores = users @ items.T
    rival = (clusters[:, None] == clusters) & (ids[:, None] != ids)
    stays = rival | torch.eye(len(ids), dtype=torch.bool)
    share = scores.masked_fill(~stays, -torch.inf).log_softmax(1)
    return -share.diagonal().mean()
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


WRONG = {
    "softmax over the users": (
        instead("log_softmax(1)", "log_softmax(0)"),
        "softmax over items",
    ),
    "the positive does not compete": (
        instead(
            "stays = rival | torch.eye(len(ids), dtype=torch.bool)", "stays = rival"
        ),
        "softmax over items",
    ),
    "rivals from all clusters": (
        instead("(clusters[:, None] == clusters) & ", ""),
        "scores of other clusters",
    ),
    "a score of 0 instead of -inf": (instead("-torch.inf", "0.0"), "-inf"),
    "copies of the positive compete": (
        instead(" & (ids[:, None] != ids)", ""),
        "the same id is no rival",
    ),
    "summed over the rows": (instead(".mean()", ".sum()"), "by hand the mean"),
    "exp before log": (
        HEAD
        + """
    rival = (clusters[:, None] == clusters) & (ids[:, None] != ids)
    stays = rival | torch.eye(len(ids), dtype=torch.bool)
    weight = (users @ items.T).exp() * stays
    return -(weight.diagonal() / weight.sum(1)).log().mean()
""",
        "use log_softmax",
    ),
}
