"""What every model of the book can do, whatever its paper.

On a GPU: ``make test-fast DEVICE=cuda``, or ``RECSYS_TUTORIAL_DEVICE=cuda pytest
tests/models/test_any_model.py``; the tests that take the fixture `device` then run
there. Without a GPU, what would fail on one is found in another way: while the model
computes, whatever is made without naming a device comes to lie on ``meta``.
"""

import copy
import io
import pickle
from functools import partial

import cloudpickle
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.models.aitm import AITM
from recsys_tutorial.models.deepfm import DeepFM
from recsys_tutorial.models.dien import DIEN
from recsys_tutorial.models.din import DIN, BaseModel, Dice, ItemEmbedding
from recsys_tutorial.models.dropoutnet import DropoutNet, Inputs, Tower
from recsys_tutorial.models.ebr import Retriever
from recsys_tutorial.models.escm2 import ESCM2
from recsys_tutorial.models.esmm import ESMM
from recsys_tutorial.models.eta import ETA, HashSearch
from recsys_tutorial.models.hstu import HSTU
from recsys_tutorial.models.melu import MeLU
from recsys_tutorial.models.meta_embedding import MetaEmbedding
from recsys_tutorial.models.mimn import MIMN
from recsys_tutorial.models.mmoe import MMoE, SharedBottom
from recsys_tutorial.models.onerec import OneRec, RewardModel
from recsys_tutorial.models.pepnet import PEPNet
from recsys_tutorial.models.ple import PLE
from recsys_tutorial.models.ranker import Ranker, RankerInputs
from recsys_tutorial.models.sasrec import SASRec
from recsys_tutorial.models.sdim import SDIM
from recsys_tutorial.models.semantic_ids import RQVAE, finish_words, random_codes
from recsys_tutorial.models.sim import SIM, HardSearch, RecentSearch, SoftSearch
from recsys_tutorial.models.stamp import STAMP, STMP
from recsys_tutorial.models.tiger import TIGER
from recsys_tutorial.models.twin import TWIN
from recsys_tutorial.train import fit

ITEMS, L, D, G = 12, 6, 4, 3
FIELDS = [5, 4]


def genres():
    table = torch.zeros(ITEMS, G)
    table[torch.arange(1, ITEMS), torch.arange(1, ITEMS) % G] = 1
    return table


def items(with_genres=False):
    return ItemEmbedding(ITEMS, D, genres() if with_genres else None)


def fields():
    return FieldEmbedding(FIELDS, D)


def clusters():
    return torch.cat([torch.tensor([-1]), torch.arange(ITEMS - 1) % 3])


def tower():
    return Tower(Inputs(*(torch.randn(ITEMS, n) for n in (D, 3, D))), (5,))


def words():
    return torch.stack([torch.arange(ITEMS) % 4, torch.arange(ITEMS) // 4], 1)


def deepfm():
    return DeepFM(genres(), [G], FIELDS, D)


def melu(**options):
    return MeLU(torch.rand(5, 2), genres(), [2, G], dim=D, units=5, **options)


MODELS = {
    "base": lambda: BaseModel(items(True), average=True),
    "base, l2": lambda: BaseModel(items(), l2=0.1, counts=torch.ones(ITEMS)),
    "DIN": lambda: DIN(items(True), profile=fields()),
    "DIN, Dice": lambda: DIN(items(), attention_activation=Dice, activation=Dice),
    "DIN, softmax": lambda: DIN(items(), softmax=True),
    "DIEN, AUGRU": lambda: DIEN(items(True)),
    "DIEN, AGRU": lambda: DIEN(items(), "AGRU"),
    "DIEN, AIGRU": lambda: DIEN(items(), "AIGRU", alpha=0),
    "DIEN, GRU": lambda: DIEN(items(), "GRU", activation=Dice),
    "MIMN": lambda: MIMN(items(True)),
    "MIMN, plain": lambda: MIMN(items(), rebalance=False, induction=0),
    "SIM, hard": lambda: SIM(items(True), HardSearch(genres()), k=3, gaps=4),
    "SIM, soft": lambda: SIM(items(), SoftSearch(D), k=3),
    "SIM, recent": lambda: SIM(items(), RecentSearch(), k=3),
    "ETA": lambda: ETA(items(True), k=3, bits=70),
    "TWIN": lambda: TWIN(items(True), k=3, cross=(5, 5)),
    "TWIN, soft": lambda: TWIN(items(), k=3, search=SoftSearch(D)),
    "TWIN, hash": lambda: TWIN(items(), k=3, search=HashSearch(D, 70)),
    "SDIM": lambda: SDIM(items(True), rounds=4, bits=2),
    "STMP": lambda: STMP(ITEMS, D),
    "STMP, as printed": lambda: STMP(ITEMS, D, sigmoid=True, two_sided=True),
    "STAMP": lambda: STAMP(ITEMS, D),
    "SASRec": lambda: SASRec(ITEMS, D, L),
    "SASRec, views": lambda: SASRec(ITEMS, D, L, weight=0.1),
    "HSTU": lambda: HSTU(ITEMS, D, L),
    "HSTU, softmax": lambda: HSTU(ITEMS, D, L, layers=2, gate=False, softmax=True),
    "EBR": lambda: Retriever(clusters(), D, L, n_negatives=4),
    "EBR, no prompt": lambda: Retriever(clusters(), D, L, prompt=False),
    "shared bottom": lambda: SharedBottom(fields(), 2),
    "MMoE": lambda: MMoE(fields(), 2),
    "PLE": lambda: PLE(fields(), 2),
    "PEPNet": lambda: PEPNet(fields(), FieldEmbedding([3], 2), fields(), n_tasks=2),
    "PEPNet, no gates": lambda: PEPNet(fields(), n_tasks=2),
    "AITM": lambda: AITM(fields(), 2),
    "AITM, no transfer": lambda: AITM(fields(), 2, transfer=False),
    "ESMM": lambda: ESMM(fields()),
    "ESMM-NS": lambda: ESMM(fields(), fields()),
    "ESCM2-IPS": lambda: ESCM2(fields()),
    "ESCM2-DR": lambda: ESCM2(fields(), fields(), doubly_robust=True),
    "DeepFM": deepfm,
    "Meta-Embedding": lambda: MetaEmbedding(deepfm()),
    "DropoutNet": lambda: DropoutNet(tower(), tower()),
    "MeLU": melu,
    "MeLU, all": lambda: melu(local="all", steps=2, second_order=False),
    "RQ-VAE": lambda: RQVAE(G, dim=D, codewords=5, units=7),
    "TIGER": lambda: TIGER(finish_words(random_codes(ITEMS - 1, 3, 2)), D, L),
    "OneRec": lambda: OneRec(words(), 8, 3, L, weight=0.5),
    "OneRec, each item alone": lambda: OneRec(words(), 8, 3, L, listwise=False),
    "list reward": lambda: RewardModel(torch.rand(ITEMS, 5), dim=8),
    "ranker": lambda: Ranker(RankerInputs(items(True), FIELDS, 2)),
}


def build(name, seed=0):
    torch.manual_seed(seed)
    return MODELS[name]()


def batch(name, rows=10, seed=0):
    """A batch of the model's; the last row has a history of one step."""
    g = torch.Generator().manual_seed(seed)

    def ids(n, *shape):
        return torch.randint(1, n, (rows, *shape), generator=g)

    length = torch.randint(1, L + 1, (rows, 1), generator=g)
    length[-1] = 1
    history = ids(ITEMS, L) * (torch.arange(L) < length)
    data = {
        "history": history,
        "candidate": ids(ITEMS),
        "long": ids(ITEMS, 2 * L) * (torch.arange(2 * L) < 2 * length),
        "gap": ids(5, 2 * L),
        "cross": ids(5, 2 * L, 2),
        "negative": ids(ITEMS, L),
        "label": torch.randint(2, (rows,), generator=g).float(),
        "profile": torch.stack([ids(n) for n in FIELDS], 1),
        "features": torch.stack([ids(n) for n in FIELDS], 1),
        "labels": torch.randint(2, (rows, 2), generator=g).float().cumprod(1),
        "domain": torch.ones(rows, 1, dtype=torch.int64),
        "prior": torch.stack([ids(n) for n in FIELDS], 1),
        "target": ids(ITEMS),
        "list": ids(ITEMS, 3),
        "item": ids(ITEMS),
        "user": ids(5),
        "score": torch.randn(rows, generator=g),
        "support": history,
        "support_rating": torch.randint(1, 6, (rows, L), generator=g).float(),
        "query": ids(ITEMS, 3),
        "query_rating": torch.randint(1, 6, (rows, 3), generator=g).float(),
        "vectors": torch.randn(rows, G, generator=g),
        "liked": torch.randint(1, 3, (rows, L), generator=g) * (history > 0),
        "fields": torch.stack([ids(n) for n in FIELDS], 1),
    }
    if name.startswith(("SASRec", "TIGER")):
        history = history.flip(1)
        data |= {"history": history, "target": ids(ITEMS, L) * (history > 0)}
        data |= {"views": torch.stack([history, history.roll(1, 1), history], 1)}
    if name.startswith("HSTU"):
        history = history.flip(1)
        data |= {"history": history, "target": ids(ITEMS, L) * (history > 0)}
        data["time"] = torch.randint(1, 99, (rows, L), generator=g).cumsum(1)
        data["asked"] = data["time"] + 5
    if name == "Meta-Embedding, tasks":
        data["features"] = torch.stack([ids(n, 2, 3) for n in FIELDS], -1)
        data["label"] = torch.randint(2, (rows, 2, 3), generator=g).float()
    return data


def training(name, rows=10, seed=0):
    """What `loss` takes; another thing than what `forward` takes in one model."""
    return batch(f"{name}, tasks" if name == "Meta-Embedding" else name, rows, seed)


ALL = pytest.mark.parametrize("name", MODELS)


def one_step(model, data):
    """The loss, after its gradient was taken and found finite, as it is."""
    loss = model.loss(data)
    loss.backward()
    assert loss.isfinite()
    slopes = [p.grad for p in model.parameters() if p.grad is not None]
    assert slopes
    assert all(slope.isfinite().all() for slope in slopes)
    return loss


def to(data, where):
    """Tensors of a batch elsewhere; floats of another dtype."""
    dtype = isinstance(where, torch.dtype)
    return {k: v if dtype and not v.is_floating_point() else v.to(where)
            for k, v in data.items()}  # fmt: skip


# --- padding


def saved_whole(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


MADE = {
    "as made": lambda model: model,
    "copied": copy.deepcopy,
    "pickled": lambda model: pickle.loads(pickle.dumps(model)),
    "saved whole": saved_whole,
    "sent to a process": lambda model: cloudpickle.loads(cloudpickle.dumps(model)),
}


def padding_rows(model):
    """Every row of every table of the model that is an id 0."""
    for module in model.modules():
        if isinstance(module, ItemEmbedding):
            yield module.ids[:1]
        elif isinstance(module, FieldEmbedding):
            yield module.table[module.offsets]
        elif isinstance(module, nn.Embedding) and module.padding_idx is not None:
            yield module.weight[:1]


def with_padding(name, rows):
    """A batch whose ids are 0 also where a model cannot tell that from an item."""
    data = training(name, rows)
    for key in ("profile", "features", "candidate", "negative"):
        if key != "candidate" or "EBR" not in name:  # that one refuses it
            data[key][: rows // 2] = 0
    return data


@ALL
@pytest.mark.parametrize("made", MADE)
def test_the_rows_of_padding_stay_zero_however_the_model_was_made(name, made, device):
    model = MADE[made](build(name))
    data = with_padding(name, 12)
    fit(model, data, epochs=2, batch_size=6, lr=0.1, progress=False, device=device)
    assert all((row == 0).all() for row in padding_rows(model))


@pytest.mark.parametrize("name", ["DIN", "MMoE"])
def test_the_rows_of_padding_stay_zero_in_a_compiled_model(name):
    model = build(name)
    fast = torch.compile(model, backend="eager")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    fast(with_padding(name, 12)).square().sum().backward()
    optimizer.step()
    assert all((row == 0).all() for row in padding_rows(model))


# --- the last batch of an epoch may have one row


@ALL
def test_a_batch_of_one_row_can_be_learnt_from(name, device):
    model = build(name).to(device).train()
    one_step(model, to(training(name, rows=1), device))


@ALL
def test_one_row_too_many_for_the_batches(name, device):
    model, data = build(name), training(name, rows=9)
    loss = fit(model, data, epochs=2, batch_size=4, progress=False, device=device).loss
    assert loss.notna().all()


# --- devices


@ALL
def test_nothing_is_made_on_another_device_than_the_batch_s(name):
    model, data, asked = build(name), training(name), batch(name)
    with torch.device("meta"):  # where all goes that is made without a device
        loss = model.loss(data)
        scores = model.eval()(asked)
        inside = model.explain(data) if hasattr(model, "explain") else ()
    assert {loss.device.type, scores.device.type} == {"cpu"}
    tensors = [x for x in inside if isinstance(x, torch.Tensor)]
    assert all(x.device.type == "cpu" for x in tensors)


@ALL
def test_a_model_on_another_device_computes_there(name, monkeypatch):
    model, asked = build(name).eval(), batch(name)
    shape = model(asked).shape
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)  # no values
    scores = model.to("meta")(to(asked, "meta"))
    assert scores.device.type == "meta"
    assert scores.shape == shape


@ALL
def test_the_scores_are_those_of_the_cpu(name, device):
    model, data = build(name).eval(), batch(name)
    expected = model(data)
    found = model.to(device)(to(data, device))
    assert found.device.type == torch.device(device).type
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-4)


# --- types of numbers


@ALL
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_the_loss_in_mixed_precision(name, half, device):
    model, data = build(name).to(device), to(training(name), device)
    with torch.autocast(torch.device(device).type, half):
        loss = model.loss(data)
        scores = model.eval()(to(batch(name), device))
    assert not scores.isnan().any()
    model.train().zero_grad()
    loss.backward()
    assert loss.isfinite()
    assert all(
        p.grad.isfinite().all() for p in model.parameters() if p.grad is not None
    )


@ALL
def test_the_loss_in_float64(name, device):
    model = build(name).double().to(device)
    data = to(to(training(name), torch.float64), device)
    assert one_step(model, data).dtype == torch.float64
    assert all(
        p.grad.dtype == p.dtype for p in model.parameters() if p.grad is not None
    )


# --- export


@ALL
@pytest.mark.filterwarnings("ignore:The tensor attributes self.extraction._flat")
def test_a_model_can_be_exported(name):
    # torch 2.13 has no way to export torch.func.grad, a local step of MeLU; and its
    # `vmap` settles the number of rows
    melus = "MeLU" in name
    model, data = (melu(steps=0) if melus else build(name)).eval(), batch(name)
    any_number = {} if melus else {0: torch.export.Dim("B", min=2)}
    shapes = (dict.fromkeys(data, any_number),)
    exported = torch.export.export(model, (data,), dynamic_shapes=shapes, strict=False)
    for rows in (data, batch(name, rows=10 if melus else 7, seed=1)):
        found = exported.module()(rows)
        torch.testing.assert_close(found, model(rows), rtol=1e-5, atol=1e-6)


# --- labels

BY_ENTROPY = [
    name for name in MODELS
    if name.startswith(("base", "D", "MIMN", "SIM", "ETA", "TWIN", "SDIM", "shared",
                        "MMoE", "PLE", "AITM", "ESMM", "Meta")) and name != "DropoutNet"
    if name.startswith(("base", "D", "MIMN", "SIM", "ETA", "shared", "MMoE", "PLE",
                        "PEPNet", "AITM", "ESMM", "Meta")) and name != "DropoutNet"
]  # fmt: skip


def labelled(name, change):
    """A batch whose labels, of one task or several, are changed."""
    data = training(name)
    return data | {key: change(data[key]) for key in ("label", "labels")}


WRONG = {
    "-1 and 1": (lambda y: 2 * y - 1, r"holds the values -1 to 1, first in row \d+: "),
    "stars": (lambda y: 1 + 4 * y, r"holds the values 1 to 5, first in row \d+: "),
    "integers": (lambda y: y.long(), r"dtype torch.int64; .* `\.float\(\)` makes"),
    "bools": (lambda y: y.bool(), r"dtype torch.bool; expected .* from 0 to 1"),
    "a column": (lambda y: y.unsqueeze(-1), r"has shape \(10, .*1\)"),
}


@pytest.mark.parametrize("name", BY_ENTROPY)
@pytest.mark.parametrize("kind", WRONG)
def test_labels_that_no_cross_entropy_takes(name, kind):
    change, message = WRONG[kind]
    with pytest.raises(ValueError, match=message) as error:
        build(name).loss(labelled(name, change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", BY_ENTROPY)
def test_a_share_between_0_and_1_is_a_label(name):
    one_step(build(name), labelled(name, lambda y: 0.1 + 0.8 * y))


@pytest.mark.parametrize("kind", [SharedBottom, MMoE, PLE])
def test_a_regression_takes_any_number_and_a_weighted_cross_entropy_does_not(kind):
    stars = training("MMoE") | {"labels": torch.full((10, 2), 5.0)}
    one_step(kind(fields(), 2, criterion=F.mse_loss), stars)
    entropy = F.binary_cross_entropy_with_logits
    weighted = partial(entropy, pos_weight=torch.tensor(2.0))
    with pytest.raises(ValueError, match="labels holds the values 5 to 5"):
        kind(fields(), 2, criterion=weighted).loss(stars)
