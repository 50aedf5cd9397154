"""A pipeline of 30 items that nobody trained: its parts fit together all the same."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from recsys_tutorial import pipeline as module
from recsys_tutorial.data.request_features import RequestFeatures, pasts_of
from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.ranker import Ranker, RankerInputs
from recsys_tutorial.models.sasrec import SASRec
from recsys_tutorial.pipeline import (
    STAGES,
    BadRequest,
    Pipeline,
    mmr,
    save_pipeline,
    session,
    to_onnx,
)
from tests.data.test_request_features import log

ITEMS, L = 31, 6
NAMES = [f"film {n}" for n in range(1, ITEMS)]
USERS = [f"user {n}" for n in range(1, 14)]  # the last has no past


class UserVector(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, batch):
        return self.model.explain(batch).states[:, -1]


def rows_of(features, rows=3):
    table = log()
    data = features.table(
        pasts_of(table), table["user"], table["time"], table[["item"]]
    )
    return {name: torch.from_numpy(values[-rows:]) for name, values in data.items()}


@pytest.fixture(scope="session")
def models():
    torch.manual_seed(0)
    features = RequestFeatures.fit(log(), ITEMS, length=L)
    encoder = UserVector(SASRec(ITEMS, 8, L)).eval()
    items = ItemEmbedding(ITEMS, 4)
    ranker = Ranker(RankerInputs(items, features.cardinalities)).eval()
    return features, encoder, ranker


@pytest.fixture(scope="session")
def folder(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("一条 pipeline")
    features, encoder, ranker = models
    history = torch.tensor([[0, 3, 4], [1, 2, 3]])
    to_onnx(encoder, {"history": history}, folder / "encoder.onnx", ("history",))
    steps = ("history", "liked")
    to_onnx(ranker, rows_of(features), folder / "ranker.onnx", steps)
    vectors = encoder.model.items.weight.detach().numpy()
    save_pipeline(folder, features, vectors, pasts_of(log()), NAMES, USERS)
    return folder


@pytest.fixture
def pipeline(folder):
    return Pipeline(folder, candidates=12)


# --- the export


@pytest.mark.parametrize(("rows", "steps"), [(1, 1), (2, 3), (5, 6), (40, 2)])
def test_the_exported_ranker_says_the_same_in_every_shape(models, folder, rows, steps):
    features, _, ranker = models
    batch = rows_of(features, rows)
    batch |= {name: batch[name][:, :steps] for name in ("history", "liked")}
    with torch.no_grad():
        expected = ranker(batch).numpy()
    found = session(folder / "ranker.onnx").run(
        None, {name: values.numpy() for name, values in batch.items()}
    )[0]
    assert found.shape == (rows, 2)
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize(("rows", "steps"), [(1, 1), (2, 3), (5, 6), (40, 2)])
def test_the_exported_encoder_says_the_same_in_every_shape(models, folder, rows, steps):
    _, encoder, _ = models
    history = torch.randint(1, ITEMS, (rows, steps))
    history[0, : steps // 2] = 0  # padding in front
    with torch.no_grad():
        expected = encoder({"history": history}).numpy()
    found = session(folder / "encoder.onnx").run(None, {"history": history.numpy()})[0]
    assert np.abs(found - expected).max() < 1e-5


def test_a_history_without_padding_has_the_vector_of_a_padded_one(models, pipeline):
    _, encoder, _ = models
    with torch.no_grad():
        padded = encoder({"history": torch.tensor([[0, 0, 0, 5, 9, 2]])})[0]
    assert np.abs(pipeline.encode(np.array([5, 9, 2])) - padded.numpy()).max() < 1e-5


# --- the stages


def test_retrieval_is_the_largest_inner_products_of_what_was_not_seen(pipeline):
    vector, seen = pipeline.encode(np.array([5, 9, 2])), np.array([5, 9, 2])
    scores = pipeline.vectors @ vector
    scores[[0, *seen]] = -np.inf
    found = pipeline.retrieve(vector, seen)
    assert found.tolist() == np.argsort(-scores)[:12].tolist()


def test_the_ranker_is_fed_by_the_feature_code_of_training(models, pipeline):
    features, _, ranker = models
    past = pipeline.pasts[3]
    now, items = int(past.times[9]), np.array([4, 8])
    rows = features.table({3: past}, [3], [now], items[None])
    with torch.no_grad():
        logits = ranker({name: torch.from_numpy(v) for name, v in rows.items()})
    expected = logits.sum(1).numpy()
    assert np.abs(pipeline.rank(past, now, items) - expected).max() < 1e-5


def test_mmr_by_hand():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    score = np.array([1.0, 0.9, 0.5])
    assert mmr(vectors, score, 3, 0.0).tolist() == [0, 1, 2]
    assert mmr(vectors, score, 3, 0.5).tolist() == [0, 2, 1]
    assert mmr(vectors, score, 5, 0.5).tolist() == [0, 2, 1]  # no more than there are
    assert mmr(vectors, np.zeros(3), 2, 1.0).tolist() == [0, 2]
    with pytest.raises(ValueError, match="variety is 2"):
        mmr(vectors, score, 3, 2)


# --- a request


def test_a_known_user_gets_films_they_have_not_seen_and_the_time_of_each_stage(
    pipeline,
):
    past = pipeline.pasts[3]
    answer = pipeline.recommend("user 3", 5)
    assert answer.road == "known user"
    assert len(set(answer.items)) == 5
    assert list(answer.seconds) == list(STAGES)
    assert not set(pipeline.items.encode(answer.items)) & set(past.items)


@pytest.mark.parametrize("user", ["a stranger", "user 13"])
def test_who_has_no_past_gets_what_was_watched_most(pipeline, user):
    answer = pipeline.recommend(user, 3)
    assert answer.road == "new user"
    views = pipeline.features.views[pipeline.items.encode(answer.items)]
    assert views.tolist() == sorted(pipeline.features.views, reverse=True)[:3]


def test_before_the_first_event_a_user_is_new(pipeline):
    first = int(pipeline.pasts[3].times[0])
    assert pipeline.recommend("user 3", 3, now=first).road == "new user"
    assert pipeline.recommend("user 3", 3, now=first + 1).road == "known user"


def test_a_new_user_becomes_known_by_an_event(pipeline):
    pipeline.add("a stranger", "film 4", True, 5000)
    assert pipeline.recommend("a stranger", 3, now=5000).road == "new user"
    answer = pipeline.recommend("a stranger", 12, now=5001)
    assert answer.road == "known user"
    assert "film 4" not in answer.items


def test_events_that_cannot_be_are_refused_in_a_sentence(pipeline):
    with pytest.raises(BadRequest, match="'film 99' is not in the catalogue of 30"):
        pipeline.add("user 3", "film 99", True, 10**6)
    with pytest.raises(BadRequest, match="before the latest event of user 'user 3'"):
        pipeline.add("user 3", "film 4", True, 1)
    for k in (0, 13):
        with pytest.raises(BadRequest, match=f"k is {k}; expected 1 to 12"):
            pipeline.recommend("user 3", k)


# --- the cache


def test_a_vector_is_kept_until_it_would_miss_too_much(folder):
    pipeline = Pipeline(folder, candidates=12, stale=1)

    def vector(now):
        return pipeline.vector(3, pipeline.pasts[3], now)

    first = vector(9000)
    pipeline.add("user 3", "film 4", True, 9000)
    assert pipeline.hits == 0
    assert np.array_equal(vector(9001), first)  # misses one event
    assert pipeline.hits == 1
    pipeline.add("user 3", "film 5", True, 9001)
    fresh = vector(9002)
    assert not np.array_equal(fresh, first)
    assert pipeline.hits == 1
    history = pipeline.features.user(pipeline.pasts[3], 9002)["history"]
    assert np.array_equal(fresh, pipeline.encode(history))


def test_without_staleness_each_event_makes_a_new_vector(pipeline):
    first = pipeline.vector(3, pipeline.pasts[3], 9000)
    pipeline.vector(3, pipeline.pasts[3], 9000)
    assert pipeline.hits == 1  # nothing has happened since
    pipeline.add("user 3", "film 4", True, 9000)
    assert not np.array_equal(pipeline.vector(3, pipeline.pasts[3], 9001), first)


def test_a_cached_vector_does_not_know_the_future(folder):
    pipeline = Pipeline(folder, candidates=12, stale=99)
    past = pipeline.pasts[3]
    late = pipeline.vector(3, past, 9000)
    early = int(past.times[5])
    assert not np.array_equal(pipeline.vector(3, past, early), late)


# --- the folder


def copied(folder, to):
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_a_folder_that_is_none_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pipeline\.json is not there"):
        Pipeline(tmp_path)
    own = copied(folder, tmp_path)
    content = json.loads((own / "pipeline.json").read_text("utf-8"))
    (own / "pipeline.json").write_text(json.dumps(content | {"version": 9}), "utf-8")
    with pytest.raises(ValueError, match="no pipeline of version 1"):
        Pipeline(own)


def test_vectors_items_and_views_are_of_one_length(models, tmp_path):
    with pytest.raises(ValueError, match="one more than items"):
        save_pipeline(tmp_path, models[0], np.zeros((5, 8)), {}, NAMES, USERS)


def test_a_service_may_start_with_nobody(models, folder, tmp_path):
    own = copied(folder, tmp_path)
    save_pipeline(own, models[0], np.load(own / "vectors.npy"), {}, NAMES, [])
    pipeline = Pipeline(own)
    assert pipeline.recommend("anyone", 2).road == "new user"


def test_a_missing_library_is_a_sentence(monkeypatch):
    with pytest.raises(ModuleNotFoundError, match="pip install two words"):
        module._needs("no_such_module_here", "two words")
