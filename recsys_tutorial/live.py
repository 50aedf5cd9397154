"""Figures that a reader can move: a cell gives its numbers away to the page.

``live.show("mmoe", figure, shown, numbers, words)`` shows a picture, which stands
wherever the notebook is read, and hands ``live_figures/mmoe.js`` what it computes from:
weights that the notebook has trained, or a sweep that it has run. The site and Jupyter
draw the same figure from it, by the shared ``live_figures/frame.js``.
"""

import base64
import json
from pathlib import Path
from uuid import uuid4

import numpy as np
import torch

MIME = "application/vnd.recsys-tutorial.live+json"
FOLDER = Path(__file__).with_name("live_figures")
LARGEST = float(np.finfo(np.float16).max)


def show(name, picture, shown, numbers=None, words=None, exact=()) -> None:
    """Display a picture and, below it, the live figure of this name.

    Parameters
    ----------
    name : str
        Of the script ``live_figures/<name>.js``.
    picture : matplotlib.figure.Figure
        What the figure shows when it opens, for print and where no script runs.
    shown : dict of str to Tensor or array
        What the picture draws, by the names that the script's answer has; by it a
        test sees that the two agree. No page gets it.
    numbers : dict of str to Tensor or array
        What the script computes from: floats, integers or bools of any shape. They
        are kept as they are; a page gets the floats in half precision.
    words : dict
        Labels, titles and whatever else JSON can hold.
    exact : sequence of str
        Names of floats that a page gets in single precision: where a sign or an order
        hangs on them.

    Raises
    ------
    ValueError
        If there is no such script, a number is not finite or does not fit into half
        precision, an array is of another kind, `exact` names none of them, or `words`
        is nothing for JSON.
    """
    from IPython.display import display

    kept = record(name, shown, numbers or {}, words or {}, exact)
    display(picture)
    plain = "（可以动手的图 | a figure that can be moved）"
    display({MIME: kept, "text/html": html(kept), "text/plain": plain}, raw=True)


def record(name: str, shown: dict, numbers: dict, words: dict, exact=()) -> dict:
    """What a notebook keeps of a live figure, as JSON holds it."""
    known = sorted({path.stem for path in FOLDER.glob("*.js")} - {"frame"})
    if name not in known:
        raise ValueError(f"name is {name!r}; expected one of {known}")
    try:
        json.dumps(words, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"words cannot be written as JSON: {error}") from None
    if strangers := set(exact) - set(numbers):
        raise ValueError(f"exact names {sorted(strangers)}, which numbers lack")
    picture, arrays = (
        {key: _array(key, value) for key, value in all_of.items()}
        for all_of in (shown, numbers)
    )
    return {
        "name": name,
        "shown": _packed(picture),
        "numbers": _packed(arrays),
        "exact": sorted(exact),
        "words": words,
    }


def payload(kept: dict) -> dict:
    """A record as a page gets it: its floats in half precision, but for `exact`."""
    arrays = unpack(kept["numbers"])
    for key, x in arrays.items():
        if x.dtype.kind == "f" and key not in kept["exact"]:
            arrays[key] = x.astype("<f2")
    return {
        "name": kept["name"],
        "numbers": _packed(arrays),
        "words": kept["words"],
    }


def unpack(numbers: dict) -> dict[str, np.ndarray]:
    """The arrays of a record or of a payload."""
    return {
        key: np.frombuffer(base64.b64decode(x["data"]), np.dtype(x["type"])).reshape(
            x["shape"]
        )
        for key, x in numbers.items()
    }


def html(kept: dict) -> str:
    """The figure with all that it needs, as the output of a cell in Jupyter."""
    place = f"live-{uuid4().hex[:8]}"
    frame, style, script = (
        (FOLDER / file).read_text(encoding="utf-8")
        for file in ("frame.js", "frame.css", f"{kept['name']}.js")
    )
    return (
        f'<style>{style}</style><div class="live" id="{place}"></div>'
        f"<script>{frame}</script><script>{script}</script>"
        f"<script>{handed(payload(kept))}\n"
        f'recsysLive.start(document.getElementById("{place}"), '
        f'"{kept["name"]}");</script>'
    )


def handed(packed: dict) -> str:
    """The line of script that hands a payload to its figure."""
    text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"))
    return "recsysLive.hand(" + text.replace("</", r"<\/") + ");"


def _array(key: str, values) -> np.ndarray:
    """An array in the smallest type that holds it, floats in single precision."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    x = np.asarray(values)
    if x.dtype.kind == "f":
        if not np.isfinite(x).all() or (np.abs(x) > LARGEST).any():
            raise ValueError(
                f"{key} holds NaN, infinity or a number beyond {LARGEST:g}; expected "
                "floats that half precision can hold"
            )
        return x.astype("<f4")
    if x.dtype.kind not in "biu":
        raise ValueError(f"{key} has dtype {x.dtype}; expected floats, ints or bools")
    low, high = (int(x.min()), int(x.max())) if x.size else (0, 0)
    for kind in ("u1", "<i2", "<i4"):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return x.astype(kind)
    raise ValueError(f"{key} holds {low} to {high}; expected ints of 32 bits")


def _packed(arrays: dict[str, np.ndarray]) -> dict:
    return {
        key: {
            "type": x.dtype.str.lstrip("|<"),
            "shape": list(x.shape),
            "data": base64.b64encode(x.tobytes()).decode(),
        }
        for key, x in arrays.items()
    }
