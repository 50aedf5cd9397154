"""One process, copies, rows by hand, TorchRec: the same losses, or it is told why."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from recsys_tutorial.distributed import (
    Clicks,
    Head,
    Job,
    _end,
    _reason,
    batches,
    has_torchrec,
    launch,
    train,
)

USERS, ITEMS, ROWS = 20, 30, 90
NO_TORCHREC = "TorchRec is not installed: see the chapter on more than one machine"


def clicks(seed):
    draw = torch.Generator().manual_seed(seed)

    def ids(n, *shape):
        return torch.randint(1, n, shape, generator=draw)

    history = ids(ITEMS, ROWS, 5)
    history[::4, :3] = 0  # short ones, padded in front
    labels = torch.randint(0, 2, (ROWS,), generator=draw).float()
    return {
        "user": ids(USERS, ROWS),
        "history": history,
        "candidate": ids(ITEMS, ROWS),
        "label": labels,
    }


DATA = clicks(0)
SCORED = {name: values[:10] for name, values in clicks(1).items() if name != "label"}
# 90 rows are three batches, the last of 27: an odd number, which no two can halve.
ONE = Job("single", USERS, ITEMS, steps=7, batch=63, dim=4)
DDP, ROWS_CUT = replace(ONE, kind="ddp"), replace(ONE, kind="rows")
JOBS = {
    "one": ONE,
    "ddp": DDP,
    "rows": ROWS_CUT,
    "blocks": replace(ROWS_CUT, layout="block"),
    "distinct": replace(ROWS_CUT, distinct=True),
    "sum": replace(ROWS_CUT, divide=False),
    "own order": replace(ROWS_CUT, own_order=True),
    "ddp, own order": replace(DDP, own_order=True),
}


@pytest.fixture(scope="module")
def results():
    return dict(zip(JOBS, launch(list(JOBS.values()), DATA, SCORED), strict=True))


def test_the_model_by_hand():
    tables = {"user": nn.Embedding(9, 2), "item": nn.Embedding(9, 2, padding_idx=0)}
    model = Clicks(tables, head := Head(2))
    batch = {
        "user": torch.tensor([3]),
        "history": torch.tensor([[0, 5, 7, 5]]),
        "candidate": torch.tensor([4]),
    }
    user, items = tables["user"].weight[3], tables["item"].weight
    past, candidate = items[5] + items[7] + items[5], items[4]
    x = torch.cat([user, past, candidate, user * candidate, past * candidate])
    torch.testing.assert_close(model(batch), head.layers(x))


@pytest.mark.parametrize("name", ["ddp", "rows", "blocks", "distinct"])
def test_two_processes_do_what_one_does(results, name):
    one, two = results["one"][0], results[name][0]
    assert len(two["losses"]) == 7
    assert two["losses"] == pytest.approx(one["losses"], abs=1e-6)
    assert two["scores"] == pytest.approx(one["scores"], abs=1e-5)


@pytest.mark.parametrize("name", ["sum", "own order", "ddp, own order"])
def test_a_mistake_is_seen_in_the_losses(results, name):
    """Adagrad divides by the gradients' own size, and so all but hides a sum."""
    one, two = results["one"][0]["losses"], results[name][0]["losses"]
    least = 1e-6 if name == "sum" else 1e-3
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) > least


def test_one_process_is_what_it_is_without_torchrun(results):
    assert train(ONE, DATA, SCORED)["losses"] == results["one"][0]["losses"]


def test_the_copies_hold_all_and_the_shards_half(results):
    head = (5 * 4 * 8 + 8) + (8 + 1)
    assert [r["parameters"] for r in results["ddp"]] == [head + 4 * 50] * 2
    assert [r["parameters"] for r in results["rows"]] == [head + 4 * 25] * 2


def test_an_all_reduce_sends_every_gradient_once_a_step(results):
    """Between two ranks 2 (W - 1) / W is 1."""
    head = (5 * 4 * 8 + 8) + (8 + 1)
    for rank in results["ddp"]:
        assert rank["sent"] == {"all-reduce": 7 * 4 * (head + 4 * 50)}
    for rank in results["rows"]:
        assert rank["sent"]["all-reduce"] == 7 * 4 * head


def test_every_rank_serves_the_ids_that_it_owns(results):
    served = [0, 0]
    for step in batches(ONE, ROWS, 0):
        ids = torch.cat([DATA["history"][step], DATA["candidate"][step, None]], 1)
        for rank in (0, 1):
            served[rank] += int(((ids > 0) & (ids % 2 == rank)).sum())
    assert [rank["served"] for rank in results["rows"]] == served


def test_the_kernel_has_sent_what_was_counted_and_headers(results):
    for name in ("ddp", "rows", "distinct"):
        for rank in results[name]:
            counted = sum(rank["sent"].values())
            assert rank["socket"] is None or counted <= rank["socket"] < 3 * counted


@pytest.fixture(scope="module")
def restarted(tmp_path_factory):
    """A run that is killed before step 5, and one that goes on where it was kept."""
    folder = str(tmp_path_factory.mktemp("kept"))
    job = replace(ROWS_CUT, folder=folder, every=2)
    with pytest.raises(RuntimeError) as raised:
        launch([replace(job, die_at=5)], DATA)
    return str(raised.value), launch([job], DATA, SCORED)[0]


def test_a_rank_that_was_killed_is_named(restarted):
    assert restarted[0].startswith("rank 1 was ended by SIG")


def test_a_run_goes_on_as_if_it_had_never_been_killed(restarted, results):
    undisturbed, found = results["rows"][0], restarted[1][0]
    assert found["start"] == 4  # the step after the last that was kept
    assert found["losses"] == pytest.approx(undisturbed["losses"][4:], abs=1e-7)
    assert found["scores"] == pytest.approx(undisturbed["scores"], abs=1e-6)


def test_an_error_in_a_rank_is_told():
    wrong = DATA | {"candidate": DATA["candidate"] + ITEMS}
    with pytest.raises(
        RuntimeError, match=r"rank \d failed: IndexError: ids holds ids"
    ):
        launch([ROWS_CUT], wrong)


def test_what_takes_too_long_is_ended_and_leaves_no_process():
    with pytest.raises(TimeoutError, match=r"2 processes took longer than 0.01 s: en"):
        launch([replace(ONE, steps=10**6)], DATA, timeout=0.01)


@pytest.mark.parametrize(
    ("job", "error", "told"),
    [
        (replace(ONE, kind="fsdp"), ValueError, "kind is 'fsdp'; expected one of sin"),
        (replace(ONE, batch=ROWS + 1), ValueError, "data has 90 rows; a batch has 91"),
        (replace(ONE, folder="x"), ValueError, "checkpoints are kept of ddp and rows"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_before_it_starts(job, error, told):
    with pytest.raises(error, match=told):
        launch([job], DATA)


def test_batches_follow_from_seed_and_step_alone():
    rows = list(batches(ONE, ROWS, 0))
    again = list(batches(ONE, ROWS, 1))
    assert all(torch.equal(a, b) for a, b in zip(rows, again, strict=True))
    assert [len(step) for step in rows] == [63, 27, 63, 27, 63, 27, 63]
    for epoch in (rows[:2], rows[2:4]):
        assert torch.equal(torch.cat(epoch).sort().values, torch.arange(ROWS))
    assert not torch.equal(rows[0], rows[2])
    own = replace(ONE, own_order=True)
    first = [next(batches(own, ROWS, rank)) for rank in (0, 1)]
    assert not torch.equal(*first)


def test_a_log_without_a_root_cause_is_shown():
    assert _reason("no such module").endswith("ended with an error: no such module")


def test_a_process_is_ended():
    run = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    _end(run)
    assert run.returncode is not None
    run.stdin.close()
    with pytest.raises(ProcessLookupError):
        os.kill(run.pid, 0)


@pytest.mark.skipif(has_torchrec(), reason="TorchRec is installed")
def test_where_torchrec_is_absent_that_is_told():
    with pytest.raises(ModuleNotFoundError, match="TorchRec is not installed; the ch"):
        launch([replace(ONE, kind="torchrec rows")], DATA)


@pytest.mark.skipif(not has_torchrec(), reason=NO_TORCHREC)
def test_torchrec_does_what_one_process_does():
    """Of rows, gloo gathers pooled gradients of equal numbers alone: 62 and 28."""
    even = replace(ONE, batch=62)
    kinds = ("single", "torchrec rows", "torchrec tables")
    jobs = [replace(even, kind=kind) for kind in kinds]
    (one, _), *others = launch(jobs, DATA, SCORED)
    assert len(others) == 2
    for rank, _ in others:
        assert rank["losses"] == pytest.approx(one["losses"], abs=1e-6)
        assert rank["scores"] == pytest.approx(one["scores"], abs=1e-5)
