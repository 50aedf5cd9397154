"""A sweep of alignment, read off; what lists are worth, by the package's own world."""

import torch

from recsys_tutorial.data.list_world import ListWorld

SPAN = {
    "rise": 1,
    "gain": 1,
    "worth": 1,
    "topics": 5,
    "invalid": 1,
    "lists": 0,
    "worths": 5,
}
ORDER = set()
BREAKS = {
    "from the round before": ("value - curve[0])", "value - curve[round])"),
    "one round short": ("slice(0, round + 1)", "slice(0, round)"),
    "the other reward model's lists": ("data.lists[logs]", "data.lists[0]"),
    "the reward for the worth": ("since(data.worth[logs])", "since(data.reward[logs])"),
    "every user has one taste": ("data.taste[user]", "data.taste[0]"),
    "repetition is free": ("- REPETITION * same", "- 0 * same"),
    "repetition pays": ("- REPETITION * same", "+ REPETITION * same"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {"round": draw.randint(0, 5), "logs": draw.randrange(3)}


def answer(numbers, words, state):
    logs, now = state["logs"], state["round"]
    reward, worth = numbers["reward"][logs], numbers["worth"][logs]
    lists, taste = numbers["lists"][logs, now], numbers["taste"]
    topic = torch.cat([torch.tensor([-1]), torch.arange(taste.shape[1])])
    nothing = torch.empty(0)
    world = ListWorld(topic, nothing, taste, *4 * [nothing], repetition=3.0)
    return {
        "rise": reward[: now + 1] - reward[0],
        "gain": worth[: now + 1] - worth[0],
        "worth": worth[now],
        "topics": numbers["topics"][logs, now],
        "invalid": numbers["invalid"][logs, now],
        "lists": lists.flatten(),
        "worths": world.utility(torch.arange(len(lists)), lists + 1),
    }
