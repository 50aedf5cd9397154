"""Typical mistakes in Exercise 4 of the chapter on DropoutNet.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def expected_loss(user_tower, item_tower, user, item, user_drop, item_drop):"""

RIGHT = """
    target = (user[0] * item[0]).sum(1)
    loss = 0.0
    for keep_user, p in ((1, 1 - user_drop), (0, user_drop)):
        for keep_item, q in ((1, 1 - item_drop), (0, item_drop)):
            u = user_tower(keep_user * user[0], user[1])
            v = item_tower(keep_item * item[0], item[1])
            loss = loss + p * q * (target - (u * v).sum(1)).square().mean()
    return loss
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


WRONG = {
    "target of the dropped vectors": (
        instead(
            "p * q * (target",
            "p * q * ((keep_user * user[0] * keep_item * item[0]).sum(1)",
        ),
        "drop none in it",
    ),
    "mean of the inputs": (
        HEAD
        + """
    u = user_tower((1 - user_drop) * user[0], user[1])
    v = item_tower((1 - item_drop) * item[0], item[1])
    return ((user[0] * item[0]).sum(1) - (u * v).sum(1)).square().mean()
""",
        "average losses, not inputs",
    ),
    "rescaled like element-wise dropout": (
        instead("keep_user * user[0]", "keep_user * user[0] / max(1 - user_drop, 0.1)"),
        "rescale nothing",
    ),
    "one lot for both": (
        instead("p * q *", "p * (keep_user == keep_item) *"),
        "they draw apart",
    ),
    "only one of the two is dropped": (
        HEAD
        + """
    target, loss = (user[0] * item[0]).sum(1), 0.0
    for keep_user, keep_item, p in (
        (1, 1, 1 - user_drop - item_drop), (0, 1, user_drop), (1, 0, item_drop)
    ):
        u = user_tower(keep_user * user[0], user[1])
        v = item_tower(keep_item * item[0], item[1])
        loss = loss + p * (target - (u * v).sum(1)).square().mean()
    return loss
""",
        "they draw apart",
    ),
    "content is dropped, too": (
        instead("user[1])", "keep_user * user[1])"),
        "drop the latent vector alone",
    ),
    "rates changed over": (
        HEAD.replace("user_drop, item_drop", "item_drop, user_drop") + RIGHT,
        "which rate is whose",
    ),
}
