"""EPNet's gates by `PEPNet`: the same rows, moved to a domain, at a checkpoint."""

import torch
from torch import tensor

from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.models.pepnet import PEPNet

SPAN = {"gates": 2, "levels": 2}
ORDER = {"gates"}
BREAKS = {
    "the towers' id stays behind": ("[...row.slice(0, -1), domain]", "row"),
    "the gate is told domain 1": ("data.domains[at][domain]", "data.domains[at][1]"),
    "the weights are the last ones": (
        "row, domain + 1, checkpoint", "row, domain + 1, last(data)"),
    "a gate goes to 1 only": ("=> 2 * math.sigmoid(z)", "=> math.sigmoid(z)"),
    "the gate has no ReLU": ("math.relu(math.linear(data.hidden",
                             "(math.linear(data.hidden"),
    "the first rows alone": ("data.rows.map((row)", "data.rows.slice(0, 5).map((row)"),
    "the truth of domain 1": ("truth = data.truth[domain]", "truth = data.truth[0]"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {
            "domain": draw.randrange(3),
            "checkpoint": draw.randrange(len(kept["words"]["epochs"])),
        }


def answer(numbers, words, state):
    at = {key: x[state["checkpoint"]] for key, x in numbers.items() if x.ndim > 2}
    at |= {key: numbers[key][state["checkpoint"]] for key in BIASES}
    model = built(numbers, at)
    features = numbers["rows"].clone()
    features[:, -1] = state["domain"] + 1
    with torch.no_grad():
        inside = model.explain({"features": features, "domain": features[:, -1:]})
    gates = inside.domain_gates[:, : 12 * at["table"].shape[1]]
    gates = gates.unflatten(1, (12, -1)).mean((0, 2))
    truth = numbers["truth"][state["domain"]]
    levels = torch.stack([gates[truth == weight].mean() for weight in (0, 1, 2)])
    return {"gates": gates, "levels": levels}


BIASES = "hidden_bias", "output_bias"


def built(numbers, at):
    """Give the package's model, without PPNet, with the weights of a checkpoint."""
    ends = torch.cat([numbers["offsets"][1:], tensor([len(at["table"])])])
    inputs = FieldEmbedding((ends - numbers["offsets"]).tolist(), at["table"].shape[1])
    known = FieldEmbedding([len(at["domains"])], at["domains"].shape[1])
    units = len(at["hidden_bias"])
    model = PEPNet(inputs, known, n_tasks=1, units=(), gate_units=units)
    with torch.no_grad():
        inputs.table.copy_(at["table"])
        known.table.copy_(at["domains"])
        gate = model.domain_gate
        for name, layer in (("hidden", gate.hidden), ("output", gate.output)):
            layer.weight.copy_(at[name])
            layer.bias.copy_(at[f"{name}_bias"])
    return model.eval()
