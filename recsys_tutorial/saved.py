"""A trained model in a folder: weights, settings and vocabularies; nothing is pickled.

``weights-….safetensors`` holds the tensors, ``model.json`` the rest and the checksum of
both. The JSON is exchanged last and in one step, so that a save which breaks off leaves
the older model as it was.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedTensorMixin

from recsys_tutorial.data.fields import Field
from recsys_tutorial.data.vocabulary import Vocabulary

FORMAT, VERSION = "recsys_tutorial model", 1


class Saved(NamedTuple):
    """What `load` returns."""

    model: nn.Module  # in evaluation mode
    settings: dict
    vocabularies: dict


def save(
    folder: str | Path,
    model: nn.Module,
    settings: dict | None = None,
    vocabularies: dict | None = None,
) -> None:
    """Save a model, and what it takes to build it and to encode its input.

    Parameters
    ----------
    folder : path
        Made if it is not there. A model that is saved there already is replaced.
    model : nn.Module
        All parameters and buffers are saved, also those that a `state_dict` leaves out,
        such as a table of content.
    settings : dict, optional
        What `load` hands to its `build`. Keys are text; values are text, numbers,
        truth values, None, or a list or dict of these. A tuple comes back as a list.
    vocabularies : dict, optional
        The same, and objects with a method `to_dict` and a class method `from_dict`,
        alone or in lists, such as `Vocabulary` and the fields of `encode_fields`. A
        plain dict must have no key "kind": that says which class an object is of.

    Raises
    ------
    ValueError
        If JSON cannot hold a setting or a vocabulary, which is named; if `folder` is a
        file, or has a ``model.json`` of another program; if `model` is no nn.Module, or
        one of its tensors is sparse or holds no values.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is a {type(model).__name__}; expected an nn.Module")
    for name, given in (("settings", settings), ("vocabularies", vocabularies)):
        if given is not None and not isinstance(given, dict):
            raise ValueError(f"{name} is a {type(given).__name__}; expected a dict")
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; expected a folder, or a new name")
    settings = _plain(settings or {}, "settings")
    vocabularies = _plain(_dicts(vocabularies or {}, "vocabularies"), "vocabularies")
    tensors = {  # copies: two names may share one tensor
        name: _whole(name, t).clone(memory_format=torch.contiguous_format)
        for name, t in _tensors(model).items()
    }
    weights = safetensors.torch.save(tensors)
    content = {"format": FORMAT, "version": VERSION, "weights": _sha256(weights)}
    content |= {"settings": settings, "vocabularies": vocabularies}
    content["checksum"] = _sha256(_text(content))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.json"
    old = _weights_file(path, _own(path)) if path.exists() else None
    new = _weights_file(path, content)
    _write(new, weights)
    _write(path, _text(content))
    if old not in (None, new):
        old.unlink(missing_ok=True)


def load(
    folder: str | Path,
    build: Callable[[dict], nn.Module],
    classes: Iterable[type] = (Vocabulary, Field),
) -> Saved:
    """Load what `save` saved.

    Parameters
    ----------
    folder : path
        Of a saved model.
    build : callable
        Makes a model of the settings. Its weights are overwritten, on whatever device
        it lies; tables that it asks for only have to be of the right shape.
    classes : iterable of class
        Whose objects the vocabularies may be; a class is known by its name.

    Returns
    -------
    Saved

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is not there.
    ValueError
        If a file is damaged, of another program or of a newer version, a class is not
        among `classes`, or the built model has other weights. The sentence names the
        file and says what to do.
    """
    path = Path(folder) / "model.json"
    content = _content(path)
    file = _weights_file(path, content)
    data = _read(file)
    if _sha256(data) != content["weights"]:
        raise ValueError(f"{file} is damaged: its checksum is wrong; {AGAIN}")
    stored = safetensors.torch.load(data)
    model = build(dict(content["settings"]))
    if not isinstance(model, nn.Module):
        raise ValueError(f"build gave a {type(model).__name__}; expected an nn.Module")
    _fill(model, stored, file)
    kinds = {c.__name__: c for c in classes}
    vocabularies = _objects(content["vocabularies"], kinds, path)
    return Saved(model.eval(), content["settings"], vocabularies)


AGAIN = "copy the folder again, or save the model in a new one"


def _own(path: Path) -> dict:
    """What a model.json says, if it is one of ours."""
    try:
        content = json.loads(_read(path))
    except ValueError:  # no UTF-8, or no JSON
        raise ValueError(f"{path} is damaged: it is no JSON; {AGAIN}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{path} is of another program; expected a folder of `save`, or a new one"
        )
    return content


def _content(path: Path) -> dict:
    """What it says, once it is known to be whole."""
    content = _own(path)
    if content.get("version") != VERSION:
        raise ValueError(
            f"{path} has version {content.get('version')}; expected {VERSION}: install "
            "the recsys_tutorial that saved it, or a newer one"
        )
    checksum = content.pop("checksum", None)
    if _sha256(_text(content)) != checksum:
        raise ValueError(f"{path} is damaged: its checksum is wrong; {AGAIN}")
    return content


def _fill(model: nn.Module, stored: dict[str, Tensor], file: Path) -> None:
    own = _tensors(model)
    for name in sorted(own.keys() ^ stored.keys()):
        where = f"the built model, not in {file}" if name in own else str(file)
        raise ValueError(
            f"{name} is only in {where}; expected the same weights in both: build the "
            "model with the settings that it was saved with"
        )
    for name, tensor in own.items():
        if tensor.is_meta:
            raise ValueError(
                f"{name} is on the device meta in the built model and can hold no "
                "values; expected the CPU or a GPU: build(...).to_empty(device=...)"
            )
        has, wants = (f"{tuple(t.shape)} {t.dtype}" for t in (tensor, stored[name]))
        if has != wants:
            raise ValueError(
                f"{name} is {has} in the built model and {wants} in {file}; expected "
                "the same: build the model with the settings that it was saved with"
            )
    for name, tensor in stored.items():
        if isinstance(own[name], nn.Parameter):
            own[name].data.copy_(tensor)
        else:  # a new tensor: the old one may be the caller's
            place, _, last = name.rpartition(".")
            buffer = tensor.to(own[name].device)
            setattr(model.get_submodule(place), last, buffer)


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    parameters = model.named_parameters(remove_duplicate=False)
    return dict(parameters) | dict(model.named_buffers(remove_duplicate=False))


def _whole(name: str, tensor: Tensor) -> Tensor:
    """The tensor on the CPU, if a file can hold it."""
    if tensor.is_meta or isinstance(tensor, UninitializedTensorMixin):
        raise ValueError(
            f"{name} holds no values ({_place(tensor)}); expected a model whose "
            "weights are there: build it on the CPU or a GPU, and train it first"
        )
    if tensor.layout != torch.strided or tensor.is_nested:
        raise ValueError(
            f"{name} is a tensor of the layout {tensor.layout}; expected a dense one: "
            "keep it as to_dense(), and make the other form of it where it is used"
        )
    return tensor.detach().cpu()


def _place(tensor: Tensor) -> str:
    return "on the device meta" if tensor.is_meta else "of a lazy layer never used"


def _dicts(value: Any, place: str) -> Any:
    """`value` with a dict in the place of each object that can give one."""
    if hasattr(value, "to_dict") and hasattr(value, "from_dict"):
        return {"kind": type(value).__name__} | value.to_dict()
    if isinstance(value, dict):
        if "kind" in value:
            raise ValueError(
                f'{place} is a dict with the key "kind", which says what class a saved '
                "object is of; expected another name for it"
            )
        return {key: _dicts(v, f"{place}[{key!r}]") for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_dicts(v, f"{place}[{n}]") for n, v in enumerate(value)]
    return value


def _plain(value: Any, place: str) -> Any:
    """`value` as JSON holds it; `place` is where it stands, for the error."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(
                    f"{place} has the key {key!r}; expected text: str(...), or a list "
                    "of pairs"
                )
            _check_text(key, f"a key of {place}")
        return {key: _plain(v, f"{place}[{key!r}]") for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f"{place}[{n}]") for n, v in enumerate(value)]
    if isinstance(value, str):
        _check_text(value, place)
    number = isinstance(value, float) and math.isfinite(value)
    if value is None or isinstance(value, str | int) or number:
        return value
    raise ValueError(
        f"{place} is {value!r}, a {type(value).__name__}; expected text, a finite "
        "number, a list or a dict: int(...), float(...), .tolist()"
    )


def _check_text(text: str, place: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{place} is {text!a}, which holds half a character; expected whole ones: "
            'text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
        ) from None


def _objects(value: Any, kinds: dict[str, type], path: Path) -> Any:
    if isinstance(value, list):
        return [_objects(v, kinds, path) for v in value]
    if not isinstance(value, dict):
        return value
    if "kind" not in value:
        return {key: _objects(v, kinds, path) for key, v in value.items()}
    if value["kind"] not in kinds:
        raise ValueError(
            f"{path} holds a vocabulary of the class {value['kind']}; expected one of "
            f"{sorted(kinds)}: name its class in `classes`"
        )
    return kinds[value["kind"]].from_dict(value)


def _text(content: dict) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _weights_file(path: Path, content: dict) -> Path:
    short = Path(str(content.get("weights"))).name[:12]
    return path.with_name(f"weights-{short}.safetensors")


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; expected a folder that `save` made: check its path, "
            "or copy it again"
        )
    return path.read_bytes()


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
