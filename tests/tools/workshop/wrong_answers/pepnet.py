"""Typical mistakes in Exercise 4 of the chapter on PEPNet.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def epnet(e, domain, hidden, output, gamma=2.0):"""

WRONG = {
    "the gate's own e keeps its gradient": (
        HEAD
        + """
    known = torch.cat([domain, e], 1)
    return gamma * output(hidden(known).relu()).sigmoid() * e
""",
        "stop the gradient of the e that the gate reads",
    ),
    "no gradient at all": (
        HEAD
        + """
    e = e.detach()
    known = torch.cat([domain, e], 1)
    gate = gamma * output(hidden(known).relu()).sigmoid()
    return gate * e.requires_grad_()
""",
        "the e that is multiplied learns",
    ),
    "a plain sigmoid": (
        HEAD
        + """
    known = torch.cat([domain, e.detach()], 1)
    return output(hidden(known).relu()).sigmoid() * e
""",
        "the sigmoid is multiplied by gamma",
    ),
    "always 2": (
        HEAD
        + """
    known = torch.cat([domain, e.detach()], 1)
    return 2 * output(hidden(known).relu()).sigmoid() * e
""",
        "gamma is not used",
    ),
    "no ReLU in the gate unit": (
        HEAD
        + """
    known = torch.cat([domain, e.detach()], 1)
    return gamma * output(hidden(known)).sigmoid() * e
""",
        "a ReLU after the hidden layer",
    ),
    "the embedding first": (
        HEAD
        + """
    known = torch.cat([e.detach(), domain], 1)
    return gamma * output(hidden(known).relu()).sigmoid() * e
""",
        "domain first",
    ),
    "one number for all dimensions": (
        HEAD
        + """
    known = torch.cat([domain, e.detach()], 1)
    gate = gamma * output(hidden(known).relu()).sigmoid()
    return gate.mean(1, keepdim=True) * e
""",
        "one number for each dimension",
    ),
    "the gate without what it gates": (
        HEAD
        + """
    known = torch.cat([domain, e.detach()], 1)
    return (gamma * output(hidden(known).relu()).sigmoid()).sum(1)
""",
        "expected (B, D)",
    ),
}
