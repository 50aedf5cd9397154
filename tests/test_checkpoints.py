"""A checkpoint is whole, or it is the one before."""

import json

import pytest
import torch
from torch import nn

from recsys_tutorial import checkpoints
from recsys_tutorial.checkpoints import load_checkpoint, save_checkpoint


def parts(seed):
    torch.manual_seed(seed)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return {"model": model, "optimizer": optimizer}


def state(some):
    tensors = [*some["model"].state_dict().values()]
    tensors += [s["sum"] for s in some["optimizer"].state_dict()["state"].values()]
    return torch.cat([t.flatten() for t in tensors])


def test_what_was_kept_comes_back_the_optimiser_included(tmp_path):
    kept, other = parts(0), parts(1)
    save_checkpoint(tmp_path / "new", 7, kept)
    assert load_checkpoint(tmp_path / "new", other) == 7
    assert torch.equal(state(kept), state(other))


def test_where_there_is_none_nothing_is_changed(tmp_path):
    some = parts(0)
    before = state(some)
    assert load_checkpoint(tmp_path, some) == 0
    assert torch.equal(state(some), before)


def test_the_latest_alone_is_kept(tmp_path):
    some = parts(0)
    save_checkpoint(tmp_path, 9, some)
    save_checkpoint(tmp_path, 10, some)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["latest.json", "step-10.rank-0.pt"]
    assert load_checkpoint(tmp_path, parts(1)) == 10


@pytest.mark.parametrize("moment", [".pt", ".json"])
def test_a_process_killed_while_it_saves_leaves_the_one_before(
    tmp_path, monkeypatch, moment
):
    """Killed before its part has its name, or before the step is named."""
    old = parts(0)
    save_checkpoint(tmp_path, 10, old)
    replace = checkpoints.os.replace

    def killed(source, target):
        if str(target).endswith(moment):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(checkpoints.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, 20, parts(2))
    other = parts(1)
    assert load_checkpoint(tmp_path, other) == 10
    assert torch.equal(state(old), state(other))


def test_half_a_file_is_never_read(tmp_path):
    some = parts(0)
    save_checkpoint(tmp_path, 10, some)
    (tmp_path / "step-20.rank-0.partial").write_bytes(b"half")
    assert load_checkpoint(tmp_path, parts(1)) == 10


def test_another_number_of_processes_is_refused(tmp_path):
    save_checkpoint(tmp_path, 10, parts(0))
    told = json.dumps({"step": 10, "processes": 2})
    (tmp_path / "latest.json").write_text(told)
    with pytest.raises(ValueError, match="is of 2 processes, this run has 1: start as"):
        load_checkpoint(tmp_path, parts(0))
