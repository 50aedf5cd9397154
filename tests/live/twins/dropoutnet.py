"""A new film and its first viewers by DropoutNet's `Tower`, in double precision."""

import torch
import torch.nn.functional as F

from recsys_tutorial.models.dropoutnet import Inputs, Tower

SPAN = {"curves": 2, "near": 2}
ORDER = set()  # neighbours whose cosines are equal to two digits may change places
BREAKS = {
    "an unknown film is not neutral": ("v.some(Boolean) ?", "true ?"),
    "not standardised": ("(value - data.mean[r]) / data.deviation[r]", "value"),
    "no clipping": ("Math.min(Math.max(scaled, -5), 5)", "scaled"),
    "normalised by the variance": ("Math.sqrt(variance[i] + 1e-5)", "variance[i]"),
    "a linear tower": ("Math.tanh((value", "((value"),
    "an inner product for a cosine": ("math.cosine(v, way", "math.dot(v, way"),
    "one net serves both": ("tower(data, net,", "tower(data, 0,"),
    "a viewer too many": ("ways[net][known]", "ways[net][Math.min(known + 1, 8)]"),
}


def states(draw, kept):
    words = kept["words"]
    while True:
        yield {
            "film": draw.randrange(len(words["films"])),
            "known": draw.randrange(len(words["viewers"])),
        }


def answer(numbers, words, state):
    steps = numbers["latent"][state["film"]].double()  # (viewers, R)
    scaled = (steps - numbers["mean"].double()) / numbers["deviation"].double()
    scaled = scaled.clamp(-5, 5) * steps.any(1, keepdim=True)
    content = numbers["content"][state["film"]].double().expand(len(steps), -1)
    ways = [tower(numbers, net, scaled, content) for net in range(2)]
    curves = [F.cosine_similarity(way, way[-1:]) for way in (steps, *ways)]
    near = [
        F.cosine_similarity(places.double(), way[state["known"]], dim=1)
        for places, way in zip(numbers["places"], ways, strict=True)
    ]
    return {"curves": torch.stack(curves), "near": torch.stack(near)}


def tower(numbers, net, latent, content):
    """Give the places (N, R) of the rows of latent vectors and content."""
    unit = Tower(Inputs(latent, content, torch.zeros_like(latent))).double().eval()
    weight, bias, mean, variance = numbers["normal"][net]
    unit.net.load_state_dict(
        {
            "0.weight": numbers["hidden"][net],
            "0.bias": numbers["hidden_bias"][net],
            "1.weight": weight,
            "1.bias": bias,
            "1.running_mean": mean,
            "1.running_var": variance,
            "1.num_batches_tracked": torch.tensor(0),
            "3.weight": numbers["output"][net],
            "3.bias": numbers["output_bias"][net],
        }
    )
    with torch.no_grad():
        return unit.encode(latent, content)
