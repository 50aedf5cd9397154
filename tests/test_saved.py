import hashlib
import json
import os
import pickle

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from recsys_tutorial.data.fields import Field, encode_fields
from recsys_tutorial.data.vocabulary import Vocabulary
from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.models.dien import DIEN
from recsys_tutorial.models.din import DIN, ItemEmbedding
from recsys_tutorial.models.mmoe import MMoE
from recsys_tutorial.saved import load, save
from tests.models.test_any_model import MODELS, batch, to, training
from tests.models.test_any_model import build as build_any

SETTINGS = {"n_items": 5, "dim": 2, "kind": "AGRU", "units": (6, 3), "alpha": 0.5}


def build(settings):
    options = {name: settings[name] for name in ("kind", "units", "alpha")}
    return DIEN(ItemEmbedding(settings["n_items"], settings["dim"]), **options)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = build(SETTINGS)
    save(tmp_path / "model", model, SETTINGS, {"items": Vocabulary(["a", "b"])})
    return tmp_path / "model", model


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rewrite(folder, **changes):
    """Change model.json, with a right checksum."""
    path = folder / "model.json"
    content = json.loads(path.read_bytes()) | changes
    content.pop("checksum")
    text = json.dumps(content, ensure_ascii=False, indent=1).encode()
    content["checksum"] = hashlib.sha256(text).hexdigest()
    path.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_gives_the_same_scores_bit_for_bit(name, tmp_path, device):
    model, data = build_any(name, seed=0).to(device), to(batch(name), device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model.loss(to(training(name), device)).backward()  # so that buffers have moved, too
    optimizer.step()
    save(tmp_path, model)
    again = load(tmp_path, lambda _: build_any(name, seed=1).to(device)).model
    assert not again.training
    assert torch.equal(again(data), model.eval()(data))
    own, new = (dict(m.named_parameters()) for m in (model, again))
    assert {n: p.requires_grad for n, p in own.items()} == {
        n: p.requires_grad for n, p in new.items()
    }


def test_settings_and_vocabularies_come_back(saved):
    folder, _ = saved
    model, settings, vocabularies = load(folder, build)
    assert settings == SETTINGS | {"units": [6, 3]}  # JSON has no tuples
    assert model.kind == "AGRU"  # a setting of this name is no vocabulary
    assert vocabularies["items"].encode(["b", "c", "a"]).tolist() == [2, 0, 1]


def test_new_rows_are_encoded_as_the_old_ones_were(tmp_path):
    cities = pd.Categorical(["上海", "北京", "Oslo"] * 4)
    frame = pd.DataFrame({"city": cities, "age": range(12)})
    ids, fields = encode_fields(frame, ["city", "age"], slice(None), bins=3)
    cardinalities = [len(field.labels) for field in fields]
    model = MMoE(FieldEmbedding(cardinalities, 2), 2)
    save(tmp_path, model, {"cardinalities": cardinalities}, {"fields": fields})
    loaded = load(tmp_path, lambda s: MMoE(FieldEmbedding(s["cardinalities"], 2), 2))
    new = frame.iloc[[7, 2]].astype({"city": str})
    encoded, _ = encode_fields(new, fields=loaded.vocabularies["fields"])
    assert torch.equal(encoded, ids[[7, 2]])
    assert "上海" in (tmp_path / "model.json").read_text("utf-8")


def test_a_folder_holds_text_and_tensors_and_no_pickle(saved):
    folder, model = saved
    names = sorted(files(folder))
    assert [name.split("-")[0] for name in names] == ["model.json", "weights"]
    tensors = load_file(folder / names[1])
    assert torch.equal(tensors["items.ids"], model.items.ids)
    for content in files(folder).values():
        with pytest.raises((pickle.UnpicklingError, ValueError, EOFError, KeyError)):
            pickle.loads(content)


def test_a_table_is_saved_and_the_caller_s_is_left_alone(tmp_path):
    genres = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    save(tmp_path, DIN(ItemEmbedding(3, 2, genres), l2=0.1, counts=torch.ones(3)))
    zeros = torch.zeros(3, 2), torch.zeros(3)
    again = load(
        tmp_path, lambda _: DIN(ItemEmbedding(3, 2, zeros[0]), l2=0.1, counts=zeros[1])
    ).model
    assert torch.equal(again.items.share, genres)
    assert torch.equal(again.counts, torch.ones(3))
    assert not any(table.any() for table in zeros)


def test_one_tensor_under_two_names_is_saved_twice(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2)
            self.b = self.a
            self.c = nn.Parameter(self.a.weight.detach().T)  # and not contiguous

    model = Tied()
    save(tmp_path, model)
    again = load(tmp_path, lambda _: Tied()).model
    assert again.a is again.b
    assert torch.equal(again.b.weight, model.b.weight)
    assert torch.equal(again.c, model.c)


def test_saving_again_replaces_the_model(saved):
    folder, model = saved
    before = set(files(folder))
    with torch.no_grad():
        model.items.ids[1] = 7.0
    save(folder, model, SETTINGS)
    assert len(files(folder)) == 2
    assert len(before & set(files(folder))) == 1  # other weights, another name
    assert load(folder, build).model.items.ids[1].tolist() == [7.0, 7.0]
    assert load(folder, build).vocabularies == {}
    save(folder, model, SETTINGS)  # the same weights stay
    assert len(files(folder)) == 2


@pytest.mark.parametrize("broken", ["weights", "model.json"])
def test_a_save_that_breaks_off_leaves_the_old_model(saved, monkeypatch, broken):
    folder, model = saved
    before = files(folder)
    with torch.no_grad():
        model.items.ids[1] = 7.0

    def replace(source, target):
        if target.name.startswith(broken):
            raise OSError(28, "No space left on device")
        os.rename(source, target)

    monkeypatch.setattr("recsys_tutorial.saved.os.replace", replace)
    with pytest.raises(OSError, match="No space left"):
        save(folder, model, SETTINGS)
    assert before.items() <= files(folder).items()
    assert not any(name.endswith(".part") for name in files(folder))
    assert load(folder, build).model.items.ids[1].tolist() != [7.0, 7.0]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n": torch.tensor(3)}, r"settings\['n'\] is tensor\(3\), a Tensor; expected"),
        ({"a": [1, {"b": float("nan")}]}, r"settings\['a'\]\[1\]\['b'\] is nan, a f"),
        ({"a": {1, 2}}, "a set; expected text, a finite number, a list or a dict"),
        ({"a": {3: "x"}}, r"settings\['a'\] has the key 3; expected text"),
        ({"a": Vocabulary(["x"])}, "a Vocabulary; expected"),
        ({"a": ["\ud83d"]}, r"settings\['a'\]\[0\] is '.ud83d', which holds half a ch"),
        ({"\ud83d": 1}, "a key of settings is '.ud83d', which holds half a character"),
        ([("a", 1)], "settings is a list; expected a dict"),
    ],
)
def test_what_json_cannot_hold_is_named(tmp_path, setting, message):
    with pytest.raises(ValueError, match=message):
        save(tmp_path / "model", nn.Linear(1, 1), setting)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("vocabularies", "message"),
    [
        ({"a": [{"kind": "b"}]}, r"vocabularies\['a'\]\[0\] is a dict with the key"),
        ({"kind": 1}, 'vocabularies is a dict with the key "kind", which says what cl'),
        ({"a": Field("x", ["\udc00"])}, r"\['a'\]\['labels'\]\[0\] is '.udc00', which"),
        (Vocabulary(["x"]), "vocabularies is a Vocabulary; expected a dict"),
    ],
)
def test_vocabularies_that_would_not_come_back_are_named(
    tmp_path, vocabularies, message
):
    with pytest.raises(ValueError, match=message):
        save(tmp_path / "model", nn.Linear(1, 1), {}, vocabularies)
    assert not (tmp_path / "model").exists()


def with_buffer(buffer):
    model = nn.Linear(1, 1)
    model.register_buffer("table", buffer)
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, "model is a NoneType; expected an nn.Module"),
        (lambda: {"weight": torch.ones(1)}, "model is a dict; expected an nn.Module"),
        (
            lambda: nn.Linear(1, 1, device="meta"),
            r"weight holds no values \(on the device meta\); expected a model whose",
        ),
        (lambda: nn.LazyLinear(1), r"weight holds no values \(of a lazy layer never"),
        (
            lambda: with_buffer(torch.eye(2).to_sparse()),
            "table is a tensor of the layout torch.sparse_coo; expected a dense one",
        ),
    ],
)
def test_models_that_no_file_can_hold_are_refused(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        save(tmp_path / "model", make())
    assert not (tmp_path / "model").exists()


def test_a_model_built_without_values_cannot_be_filled(saved):
    folder, _ = saved

    def on_meta(settings):
        with torch.device("meta"):
            return build(settings)

    with pytest.raises(ValueError, match="items.ids is on the device meta in the bui"):
        load(folder, on_meta)


def test_a_truth_value_and_a_missing_one_are_settings(tmp_path):
    settings = {"a": True, "b": None, "c": [1, 2.5, "三"], "d": {}}
    save(tmp_path, nn.Linear(1, 1), settings)
    assert load(tmp_path, lambda _: nn.Linear(1, 1)).settings == settings


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def flip(path):
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("which", "damage", "message"),
    [
        ("weights", cut, r"weights-\w+.safetensors is damaged: its checksum is wrong"),
        ("weights", flip, r"weights-\w+.safetensors is damaged: its checksum is wrong"),
        ("model", cut, "model.json is damaged: it is no JSON; copy the folder again"),
        ("model", flip, "model.json is damaged: its checksum is wrong; copy"),
    ],
)
def test_a_damaged_file_is_named(saved, which, damage, message):
    folder, _ = saved
    (path,) = folder.glob(f"{which}*")
    damage(path)
    with pytest.raises(ValueError, match=message):
        load(folder, build)


def test_a_changed_vocabulary_is_noticed(saved):
    path = saved[0] / "model.json"
    path.write_text(path.read_text("utf-8").replace('"b"', '"c"'), "utf-8")
    with pytest.raises(ValueError, match="its checksum is wrong"):
        load(saved[0], build)


def test_what_is_not_there_is_named(saved, tmp_path):
    folder, _ = saved
    with pytest.raises(FileNotFoundError, match="model.json is not there; expected a"):
        load(tmp_path / "nothing", build)
    next(folder.glob("weights*")).unlink()
    with pytest.raises(FileNotFoundError, match=r"weights-\w+.safetensors is not ther"):
        load(folder, build)


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", '{"format": "other"}'])
def test_a_foreign_folder_is_refused_and_not_overwritten(tmp_path, text):
    (tmp_path / "model.json").write_text(text, "utf-8")
    for call in (
        lambda: load(tmp_path, build),
        lambda: save(tmp_path, build(SETTINGS)),
    ):
        with pytest.raises(ValueError, match="model.json is of another program; exp"):
            call()
    assert files(tmp_path) == {"model.json": text.encode()}


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a").write_text("mine", "utf-8")
    with pytest.raises(ValueError, match="a is a file; expected a folder"):
        save(tmp_path / "a", nn.Linear(1, 1))


def test_a_newer_version_is_named(saved):
    folder, _ = saved
    rewrite(folder, version=2)
    with pytest.raises(ValueError, match=r"model.json has version 2; expected 1: inst"):
        load(folder, build)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"dim": 3},
            r"items.ids is \(5, 3\) torch.float32 in the built model and \(5, ",
        ),
        ({"kind": "GRU"}, r"\S+ is .* in the built model and .* in .*safetensors; exp"),
    ],
)
def test_another_model_is_refused(saved, change, message):
    with pytest.raises(ValueError, match=message):
        load(saved[0], lambda settings: build(settings | change))


def test_weights_that_lack_or_are_too_many_are_named(tmp_path):
    save(tmp_path, nn.Linear(2, 2, bias=False))
    with pytest.raises(ValueError, match="bias is only in the built model, not in "):
        load(tmp_path, lambda _: nn.Linear(2, 2))
    save(tmp_path, nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"bias is only in .*safetensors; expected th"):
        load(tmp_path, lambda _: nn.Linear(2, 2, bias=False))


def test_the_type_of_the_weights_is_kept(tmp_path):
    save(tmp_path, nn.Linear(2, 2).double())
    with pytest.raises(ValueError, match=r"torch.float32 in the built model and .*64"):
        load(tmp_path, lambda _: nn.Linear(2, 2))
    assert load(tmp_path, lambda _: nn.Linear(2, 2).double()).model.bias.dtype == (
        torch.float64
    )


def test_build_has_to_give_a_model(saved):
    with pytest.raises(
        ValueError, match="build gave a NoneType; expected an nn.Module"
    ):
        load(saved[0], lambda settings: None)


class Shelf:
    def __init__(self, number):
        self.number = number

    def to_dict(self):
        return {"number": self.number}

    @classmethod
    def from_dict(cls, content):
        return cls(content["number"])


def test_classes_of_one_s_own(tmp_path):
    save(tmp_path, nn.Linear(1, 1), {}, {"shelves": {"a": [Shelf(3)]}, "b": {"c": 1}})
    with pytest.raises(
        ValueError, match="model.json holds a vocabulary of the class Sh"
    ):
        load(tmp_path, lambda _: nn.Linear(1, 1))
    found = load(tmp_path, lambda _: nn.Linear(1, 1), [Shelf]).vocabularies
    assert found["shelves"]["a"][0].number == 3
    assert found["b"] == {"c": 1}
