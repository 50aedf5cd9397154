"""A table cut by rows is the whole table: vectors, gradients, and what it sends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

import recsys_tutorial
from recsys_tutorial.distributed import LOOPBACK
from recsys_tutorial.sharding import (
    RowSharded,
    all_reduce_bytes,
    exchange_bytes,
    owners,
    socket_bytes,
)

WORLD, N_ROWS, DIM = 3, 11, 4  # 11 rows cannot be cut evenly
CASES = [
    (layout, distinct, divide)
    for layout in ("block", "modulo")
    for distinct in (False, True)
    for divide in (True, False)
]
TABLE = torch.randn(N_ROWS, DIM, generator=torch.Generator().manual_seed(1))
# By rank: rows of different numbers, padding, an id twice, one that nobody asks for.
IDS = [
    torch.tensor([[1, 2, 0, 10], [1, 1, 5, 0]]),
    torch.tensor([[3, 9, 9, 4]]),
    torch.tensor([[0, 0, 0, 0], [6, 1, 10, 8], [7, 7, 7, 0]]),
]
# What the loss multiplies the vectors by, so that no two gradients are alike.
FACTORS = [
    torch.randn(*ids.shape, DIM, generator=torch.Generator().manual_seed(2 + rank))
    for rank, ids in enumerate(IDS)
]
WORKER = """
import sys
import torch
import torch.distributed as dist
from recsys_tutorial.sharding import RowSharded, socket_bytes

folder, rank, world = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
dist.init_process_group(
    "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world
)
given = torch.load(f"{folder}/given.pt")
found = []
for layout, distinct, divide in given["cases"]:
    table = RowSharded(given["table"], layout, distinct, divide)
    before = socket_bytes()
    vectors = table(given["ids"][rank])
    (vectors * given["factors"][rank]).sum().backward()
    wire = None if before is None else socket_bytes() - before
    found.append({
        "vectors": vectors.detach(), "rows": table.weight.detach(), "wire": wire,
        "gradient": table.weight.grad, "traffic": dict(table.traffic),
        "served": table.served,
    })
torch.save(found, f"{folder}/found-{rank}.pt")
dist.barrier()
dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What three processes found: case -> one dict for each rank."""
    folder = tmp_path_factory.mktemp("ranks")
    given = {"table": TABLE, "ids": IDS, "factors": FACTORS, "cases": CASES}
    torch.save(given, folder / "given.pt")
    environment = os.environ | {
        "PYTHONPATH": str(Path(recsys_tutorial.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": LOOPBACK.get(sys.platform, ""),
    }
    command = [sys.executable, "-c", WORKER, str(folder)]
    ranks = []
    try:
        for rank in range(WORLD):
            arguments = [*command, str(rank), str(WORLD)]
            ranks.append(subprocess.Popen(arguments, env=environment))
        assert [process.wait(120) for process in ranks] == [0] * WORLD
    finally:
        for process in ranks:
            process.kill()
            process.wait()
    by_rank = [torch.load(folder / f"found-{rank}.pt") for rank in range(WORLD)]
    return dict(zip(CASES, zip(*by_rank, strict=True), strict=True))


@pytest.fixture
def alone(tmp_path):
    """A process group of one."""
    where = {"init_method": f"file://{tmp_path}/store", "rank": 0, "world_size": 1}
    dist.init_process_group("gloo", **where)
    yield
    dist.destroy_process_group()


def whole():
    return nn.Embedding.from_pretrained(
        TABLE.clone().index_fill(0, torch.tensor([0]), 0), freeze=False, padding_idx=0
    )


def of_rank(rows, rank, layout):
    """The part of a whole table that a rank holds, as a slow loop finds it."""
    each = -(-N_ROWS // WORLD)
    mine = torch.zeros(each, DIM)
    for row in range(1, N_ROWS):
        owner, place = (
            divmod(row, each) if layout == "block" else divmod(row, WORLD)[::-1]
        )
        if owner == rank:
            mine[place] = rows[row]
    return mine


@pytest.mark.parametrize("case", CASES)
def test_vectors_are_those_of_the_whole_table(found, case):
    for rank, one in enumerate(found[case]):
        assert torch.equal(one["vectors"], whole()(IDS[rank]))


@pytest.mark.parametrize("case", CASES)
def test_pooled_they_are_those_of_an_embedding_bag(found, case):
    bag = nn.EmbeddingBag.from_pretrained(
        whole().weight.detach(), mode="sum", padding_idx=0
    )
    for rank, one in enumerate(found[case]):
        torch.testing.assert_close(one["vectors"].sum(1), bag(IDS[rank]))


@pytest.mark.parametrize("case", CASES)
def test_each_rank_holds_its_rows_and_no_others(found, case):
    for rank, one in enumerate(found[case]):
        assert torch.equal(one["rows"], of_rank(TABLE, rank, case[0]))


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_whole_table(found, case):
    layout, _, divide = case
    one_table = whole()
    loss = sum(
        (one_table(ids) * factor).sum()
        for ids, factor in zip(IDS, FACTORS, strict=True)
    )
    loss.backward()
    expected = one_table.weight.grad / (WORLD if divide else 1)
    for rank, one in enumerate(found[case]):
        torch.testing.assert_close(one["gradient"], of_rank(expected, rank, layout))


@pytest.mark.parametrize("case", CASES)
def test_bytes_are_counted_as_the_formula_has_them(found, case):
    """Id and vector cross once for each request to another rank, and back comes one
    gradient; padding and a rank's own rows cross never."""
    layout, distinct, _ = case
    foreign = 0
    for rank, ids in enumerate(IDS):
        wanted = [i for i in ids.flatten().tolist() if i]
        wanted = set(wanted) if distinct else wanted
        each = -(-N_ROWS // WORLD)
        foreign += sum(
            (i // each if layout == "block" else i % WORLD) != rank for i in wanted
        )
    sums = {
        what: sum(one["traffic"][what] for one in found[case])
        for what in ("counts", "ids", "vectors", "gradients")
    }
    assert sums["counts"] == WORLD * (WORLD - 1) * 8
    assert sums["ids"] == foreign * 8
    assert sums["vectors"] == sums["gradients"] == foreign * DIM * 4
    rest = sums["ids"] + sums["vectors"] + sums["gradients"]
    assert rest == exchange_bytes(foreign, DIM)


@pytest.mark.parametrize("case", CASES)
def test_the_kernel_has_sent_what_was_counted_and_headers(found, case):
    for one in found[case]:
        counted = sum(one["traffic"].values())
        assert one["wire"] is None or counted <= one["wire"] <= counted + 4000


@pytest.mark.parametrize("case", CASES)
def test_every_request_is_served_once(found, case):
    wanted = [ids[ids > 0] for ids in IDS]
    count = sum(len(ids.unique() if case[1] else ids) for ids in wanted)
    assert sum(one["served"] for one in found[case]) == count


def test_sending_each_id_once_sends_less(found):
    many, once = found["modulo", False, True], found["modulo", True, True]
    assert all(
        b["traffic"]["ids"] <= a["traffic"]["ids"]
        for a, b in zip(many, once, strict=True)
    )
    assert once[2]["traffic"]["ids"] < many[2]["traffic"]["ids"]


def test_owners_by_hand():
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert owners(ids, 9, 3).tolist() == [[1, 2, 0, 1], [2, 0, 1, 2]]
    assert owners(ids, 9, 3, "block").tolist() == [[0, 0, 1, 1], [1, 2, 2, 2]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((9, 3, "hash"), "layout is 'hash'; expected one of block, modulo"),
        ((0, 3), "n_rows is 0"),
        ((9, 0), "world is 0"),
    ],
)
def test_a_cut_that_is_none_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        owners(torch.tensor([1]), *arguments)


def test_an_all_reduce_by_hand():
    """Of two, each sends half of the numbers to be summed, and half of the sums."""
    assert all_reduce_bytes(1000, 1) == 0
    assert all_reduce_bytes(1000, 2) == 4000
    assert all_reduce_bytes(1000, 4) == 6000


def test_an_exchange_by_hand():
    assert exchange_bytes(1, 16) == 8 + 64 + 64


def test_a_table_without_a_process_group_says_what_is_missing():
    with pytest.raises(RuntimeError, match="there is no process group; start the"):
        RowSharded(TABLE)


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        (torch.tensor([3, N_ROWS]), IndexError),
        (torch.tensor([-1]), IndexError),
        (torch.tensor([1.0]), ValueError),
    ],
)
def test_ids_that_are_not_in_the_table_are_refused(alone, ids, error):
    with pytest.raises(error, match="ids h"):
        RowSharded(TABLE)(ids)


def test_a_batch_of_padding_alone_asks_for_nothing(alone):
    table = RowSharded(TABLE)
    vectors = table(torch.zeros(2, 3, dtype=torch.int64))
    assert torch.equal(vectors, torch.zeros(2, 3, DIM))
    assert table.served == 0


def test_one_rank_sends_nothing(alone):
    table = RowSharded(TABLE)
    table(torch.tensor([1, 5, 10])).sum().backward()
    assert sum(table.traffic.values()) == 0


def test_the_padding_gets_no_gradient(alone):
    table = RowSharded(TABLE)
    table(torch.tensor([0, 1])).sum().backward()
    assert torch.equal(table.weight.grad[0], torch.zeros(DIM))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells it")
def test_socket_bytes_count_what_a_connection_sends():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        here = socket.create_connection(server.getsockname())
        there, _ = server.accept()
        with here, there:
            before = socket_bytes()
            here.sendall(bytes(1000))
            assert len(there.recv(1000, socket.MSG_WAITALL)) == 1000
            assert socket_bytes() - before == 1000
