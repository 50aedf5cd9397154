"""Retrieve, rank, re-rank: a request's whole way, out of a folder.

`save_pipeline` writes the folder, `Pipeline` answers from it: two ONNX models, the
vectors of all items, the code of the features, and what each user did so far.
Dimension letters: ``I`` items (padding included), ``D`` width of a vector, ``K``
candidates, ``L`` history length.
"""

import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsys_tutorial.data.request_features import NOBODY, Past, RequestFeatures
from recsys_tutorial.data.vocabulary import Vocabulary
from recsys_tutorial.layers import positive

FORMAT, VERSION = "recsys_tutorial pipeline", 1
STAGES = ("user", "retrieve", "rank", "re-rank")


class BadRequest(ValueError):
    """A request that cannot be answered; one sentence says why."""


class Answer(NamedTuple):
    """What `Pipeline.recommend` returns."""

    items: list  # names, best first
    road: str  # "known user", or "new user": nothing is known, the most watched
    seconds: dict[str, float]  # by stage; those that were taken


def to_onnx(model, batch: dict, path: str | Path, steps: tuple[str, ...] = ()) -> None:
    """Export a model; the number of rows, and of steps, stays free.

    Parameters
    ----------
    model : nn.Module
        Its ``forward`` takes the batch, and gives one tensor.
    batch : dict of tensors
        An example with two rows or more; its names become those of the inputs.
    path : path
        The file to write.
    steps : tuple of str
        Inputs ``(B, L)`` whose number of columns may vary, the same for all of them.

    Raises
    ------
    ModuleNotFoundError
        If onnx and onnxscript are not installed.
    """
    _needs("onnxscript", "onnx onnxscript")
    import torch

    free = torch.export.Dim.DYNAMIC
    shapes = {n: {0: free, 1: free} if n in steps else {0: free} for n in batch}
    with _quiet("torch.onnx", "onnxscript", "onnx_ir"):
        program = torch.onnx.export(
            model.eval(),
            kwargs={"batch": batch},
            dynamo=True,
            verbose=False,
            dynamic_shapes={"batch": shapes},
            input_names=list(batch),
            output_names=["output"],
        )
        program.save(str(path), external_data=False)


def session(path: str | Path, threads: int = 1):
    """An ONNX Runtime session; `threads` of its own for each request."""
    _needs("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = positive("threads", threads)
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )


def mmr(vectors: np.ndarray, scores: np.ndarray, k: int, variety: float) -> np.ndarray:
    """Maximal marginal relevance: a good item that is unlike those already chosen.

    After Carbonell and Goldstein 1998: the score, from 0 to 1 over the candidates,
    times ``1 - variety``, less `variety` times the largest cosine with a chosen item.

    Parameters
    ----------
    vectors : array (K, D)
    scores : array (K,)
        Higher is better.
    k : int
        How many to choose, at most ``K``.
    variety : float
        0 for the order of the scores, 1 for nothing but variety.

    Returns
    -------
    array of int, shape (k,)
        Rows, in the order in which they were chosen.
    """
    if not 0 <= variety <= 1:
        raise ValueError(f"variety is {variety}; expected 0 to 1")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(length, 1e-12)
    good = (scores - scores.min()) / max(np.ptp(scores), 1e-12)
    chosen, like = [], np.full(len(scores), -1.0)
    for _ in range(min(positive("k", k), len(scores))):
        gain = (1 - variety) * good - variety * like
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        like = np.maximum(like, unit @ unit[chosen[-1]])
    return np.array(chosen)


def save_pipeline(
    folder: str | Path,
    features: RequestFeatures,
    vectors: np.ndarray,
    pasts: dict[int, Past],
    items: list,
    users: list,
    goals: tuple[float, ...] = (1.0, 1.0),
) -> None:
    """Write what `Pipeline` reads, next to ``encoder.onnx`` and ``ranker.onnx``.

    Parameters
    ----------
    folder : path
        Holds both models already, or will.
    features : RequestFeatures
        The very object that made the training table.
    vectors : array (I, D)
        Of the items, in the encoder's space; row 0 is padding.
    pasts : dict
        By user id, what is known when the service starts.
    items, users : lists of str
        Names; the first has the id 1.
    goals : tuple of float
        What the logits of the ranker are multiplied by before they are added.
    """
    if len(vectors) != len(items) + 1 or len(features.views) != len(vectors):
        raise ValueError(
            f"vectors has {len(vectors)} rows, views {len(features.views)}, and there "
            f"are {len(items)} items; expected one more than items, for the padding"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "vectors.npy", np.asarray(vectors, np.float32))
    ids = sorted(pasts)
    columns = {
        name: np.concatenate([getattr(pasts[u], name) for u in ids] or [empty])
        for name, empty in NOBODY._asdict().items()
    }
    counts = [len(pasts[u].items) for u in ids]
    np.savez(folder / "pasts.npz", user=ids, count=counts, **columns)
    content = {"format": FORMAT, "version": VERSION, "goals": list(goals)}
    content |= {"features": features.to_dict()}
    content |= {"items": list(items), "users": list(users)}
    text = json.dumps(content, ensure_ascii=False)
    (folder / "pipeline.json").write_text(text, encoding="utf-8")


class Pipeline:
    """Answers requests out of a folder that `save_pipeline` wrote.

    Parameters
    ----------
    folder : path
    candidates : int
        Items that are retrieved and ranked, ``K``.
    stale : int
        New events that a cached user vector may miss; 0 computes it afresh after each.
    variety : float
        Of `mmr`.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If the folder is of another program or version.
    ModuleNotFoundError
        If faiss or onnxruntime is not installed.
    """

    def __init__(self, folder, candidates=200, stale=0, variety=0.2):
        folder = Path(folder)
        names = "pipeline.json", "vectors.npy", "pasts.npz", "encoder.onnx"
        for name in (*names, "ranker.onnx"):
            if not (folder / name).is_file():
                raise FileNotFoundError(
                    f"{folder / name} is not there; expected a folder of save_pipeline"
                )
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        if (content.get("format"), content.get("version")) != (FORMAT, VERSION):
            raise ValueError(f"{folder} is no pipeline of version {VERSION}")
        _needs("faiss", "faiss-cpu")
        import faiss

        self.k, self.stale = positive("candidates", candidates), stale
        self.variety, self.goals = variety, np.array(content["goals"])
        self.features = RequestFeatures.from_dict(content["features"])
        self.items = Vocabulary(content["items"])
        self.users = {name: n for n, name in enumerate(content["users"], start=1)}
        self.encoder = session(folder / "encoder.onnx")
        self.ranker = session(folder / "ranker.onnx")
        self.vectors = np.load(folder / "vectors.npy")
        self.index = faiss.IndexFlatIP(self.vectors.shape[1])
        self.index.add(self.vectors[1:])
        faiss.omp_set_num_threads(1)
        self.popular = self.features.views.argsort(kind="stable")[::-1]
        self.pasts = _pasts(folder / "pasts.npz")
        self.cache: dict[int, tuple[int, np.ndarray]] = {}
        self.hits = 0

    def recommend(self, user, k: int = 10, now: int | None = None) -> Answer:
        """The best `k` for a user, who is `Past` before `now` (seconds; the clock's).

        Who is unknown, or has no past, gets what was watched most. `BadRequest` if `k`
        is not 1 to ``candidates``.
        """
        if not 1 <= k <= self.k:
            raise BadRequest(f"k is {k}; expected 1 to {self.k}")
        now = int(time.time()) if now is None else now
        who = self.users.get(user, 0)
        past = self.pasts.get(who, NOBODY)
        end = int(np.searchsorted(past.times, now))
        if not end:
            best = self.popular[self.popular > 0][:k]
            return Answer(self.items.decode(best), "new user", {})
        clock = [time.perf_counter()]
        vector = self.vector(who, past, now)
        clock.append(time.perf_counter())
        found = self.retrieve(vector, past.items[:end])
        clock.append(time.perf_counter())
        scores = self.rank(past, now, found)
        clock.append(time.perf_counter())
        best = found[mmr(self.vectors[found], scores, k, self.variety)]
        clock.append(time.perf_counter())
        seconds = dict(zip(STAGES, np.diff(clock).tolist(), strict=True))
        return Answer(self.items.decode(best), "known user", seconds)

    def vector(self, who: int, past: Past, now: int) -> np.ndarray:
        """The user's vector ``(D,)``: of the cache, if it misses few enough events."""
        end = int(np.searchsorted(past.times, now))
        known = self.cache.get(who)
        if known is not None and 0 <= end - known[0] <= self.stale:
            self.hits += 1
            return known[1]
        history = self.features.user(past, now)["history"]
        vector = self.encode(history[history > 0])
        self.cache[who] = end, vector
        return vector

    def encode(self, history: np.ndarray) -> np.ndarray:
        """The vector ``(D,)`` of a history ``(L,)``, oldest first, without padding."""
        return self.encoder.run(None, {"history": history[None]})[0][0]

    def retrieve(self, vector: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Ids of the nearest items that were not `seen`, at most ``K``."""
        ask = min(self.k + len(seen), self.index.ntotal)
        found = self.index.search(vector[None], ask)[1][0] + 1
        return found[~np.isin(found, seen)][: self.k]

    def rank(self, past: Past, now: int, items: np.ndarray) -> np.ndarray:
        """The ranker's logits of the goals, weighted and added: ``(K,)``."""
        rows = self.features.candidates(self.features.user(past, now), items)
        return self.ranker.run(None, rows)[0] @ self.goals

    def add(self, user, item, liked: bool, when: int) -> None:
        """Tell of a new event; it counts for requests after its second.

        An unknown user becomes known. `BadRequest` for an item that is not in the
        catalogue, or a time before the user's latest event.
        """
        item_id = int(self.items.encode([item])[0])
        if not item_id:
            raise BadRequest(
                f"item {item!r} is not in the catalogue of {len(self.items) - 1} items"
            )
        past = self.pasts.get(self.users.get(user, 0), NOBODY)
        if len(past.times) and when < past.times[-1]:
            raise BadRequest(
                f"time is {when}, before the latest event of user {user!r}, "
                f"{past.times[-1]}; expected events in their order"
            )
        who = self.users.setdefault(user, len(self.users) + 1)
        new = (item_id, liked, when)
        self.pasts[who] = Past(*map(np.append, past, new))


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """No warnings, and no log of these but for errors: an export tells a great deal."""
    logs = [(log, log.level) for log in map(logging.getLogger, names)]
    try:
        for log, _ in logs:
            log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in logs:
            log.setLevel(level)


def _pasts(path: Path) -> dict[int, Past]:
    with np.load(path) as stored:  # nothing is unpickled
        cuts = stored["count"].cumsum()[:-1]
        columns = [np.split(stored[name], cuts) for name in Past._fields]
        return {int(u): Past(*p) for u, *p in zip(stored["user"], *columns)}  # noqa: B905


def _needs(module: str, packages: str = "") -> None:
    try:
        __import__(module)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{module} is not installed here: pip install {packages or module}"
        ) from None
