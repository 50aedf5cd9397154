"""Typical mistakes in Exercise 4 of the chapter on Meta-Embedding.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def meta_gradient(phi, x_a, y_a, x_b, y_b, rate, alpha):"""

RIGHT = """
    p = (x_a @ phi).sigmoid()
    cold = (p - y_a) @ x_a / len(y_a)
    stepped = phi - rate * cold
    warm = ((x_b @ stepped).sigmoid() - y_b) @ x_b / len(y_b)
    curved = (p * (1 - p) * (x_a @ warm)) @ x_a / len(y_a)
    return alpha * cold + (1 - alpha) * (warm - rate * curved)
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


WRONG = {
    "sum over the batch": (
        instead("(p - y_a) @ x_a / len(y_a)", "(p - y_a) @ x_a"),
        "the mean of (p - y) x",
    ),
    "alpha on the wrong half": (
        instead(
            "alpha * cold + (1 - alpha) * (warm - rate * curved)",
            "(1 - alpha) * cold + alpha * (warm - rate * curved)",
        ),
        "alpha = 1 leaves l_a",
    ),
    "up the slope": (
        instead("phi - rate * cold", "phi + rate * cold"),
        "after the step",
    ),
    "step forgotten": (instead("(x_b @ stepped)", "(x_b @ phi)"), "after the step"),
    "first order": (instead("warm - rate * curved", "warm"), "of first order"),
    "Hessian after the step": (
        instead(
            "curved = (p * (1 - p)",
            "p = (x_a @ stepped).sigmoid()\n    curved = (p * (1 - p)",
        ),
        "H before it",
    ),
    "Hessian of the other batch": (
        instead(
            "(p * (1 - p) * (x_a @ warm)) @ x_a",
            "(p * (1 - p) * (x_b @ warm)) @ x_b",
        ),
        "a mean over D^a",
    ),
    "step size forgotten": (
        instead("warm - rate * curved", "warm - curved"),
        "no step and alpha = 0",
    ),
    "mean of products, not product of means": (
        instead(
            "(p * (1 - p) * (x_a @ warm)) @ x_a / len(y_a)",
            "(p * (1 - p)).mean() * x_a.square().mean(0) * warm",
        ),
        "not as autograd",
    ),
    "half of the labels": (instead("- y_b)", "- y_a.mean())"), "no step and alpha = 0"),
}
