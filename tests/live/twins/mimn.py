"""A history into the slots by `MIMN`, event by event."""

import torch

from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.mimn import MIMN, address

SPAN = {"path": 1, "addressed": 1, "erased": 1, "added": 1, "use": 5}
ORDER = set()
BREAKS = {
    "the keys are swapped": ("[readKey, writeKey,", "[writeKey, readKey,"),
    "an inner product for a cosine": ("math.cosine(key", "math.dot(key"),
    "no sharpness": ("sharpness * math.cosine(key", "math.cosine(key"),
    "the controller forgets": (
        "], old.controller)",
        "], math.scale(old.controller, 0))",
    ),
    "nothing is erased": ("math.scale(lost[i], -1), ", ""),
    "what is read comes first": ("[...e, ...old.read]", "[...old.read, ...e]"),
    "P is not transposed": ("math.times(math.transpose(rows), weight)",
                            "math.times(rows, weight)"),
    "the memory is read before it is written": ("address(readKey, slots,",
                                                "address(readKey, old.slots,"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {"step": draw.randint(1, 16), "mur": draw.random() < 0.5}


def answer(numbers, words, state):
    name = "mur_" if state["mur"] else "plain_"
    own = {k.removeprefix(name): x for k, x in numbers.items() if k.startswith(name)}
    steps, (M, D) = own["steps"], own["start"].shape
    model = MIMN(
        ItemEmbedding(len(steps) + 1, D),
        n_slots=M,
        rebalance=state["mur"],
        induction=0,
        sharpness=words["sharpness"],
    )
    model.items.ids.data = torch.cat([torch.zeros(1, D), steps])
    model.start.data = own["start"]
    for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(model.controller, key).data = own[key]
    model.heads.weight.data, model.heads.bias.data = own["heads"], own["heads_bias"]
    if state["mur"]:
        model.transfer.weight.data = own["transfer"]
    ids = torch.arange(1, len(steps) + 1)
    with torch.no_grad():
        batch = {"history": ids[None], "candidate": torch.tensor([1])}
        path = model.explain(batch).writes[0]
        old = model.empty(1)
        for each in ids[: state["step"] - 1]:
            old = model.write(old, each[None])
        new = model.write(old, ids[None, state["step"] - 1])
        _, key, erase, add = model.heads(new.controller).chunk(4, 1)
        addressed = address(key, old.slots, words["sharpness"])[0]
        written = path[state["step"] - 1][:, None]
        before = old.slots[0].norm(dim=1)
        lost, gained = old.slots[0] * written * erase.sigmoid(), written * add.tanh()
    return {
        "path": path,
        "addressed": addressed,
        "erased": lost.norm(dim=1) / before,
        "added": gained.norm(dim=1),
        "use": new.use[0],
    }
