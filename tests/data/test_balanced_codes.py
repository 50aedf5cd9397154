import itertools

import pytest
import torch

from recsys_tutorial.data.balanced_codes import balanced_clusters, residual_codes

SIX = torch.tensor([[0.0], [1.0], [2.0], [3.0], [9.0], [10.0]])  # six points on a line


def slow(points, centres, rounds):
    """The rule of Algorithm 1, point by point."""
    centres = [list(c) for c in centres.tolist()]
    points, room = points.tolist(), len(points) // len(centres)
    found = None
    for _ in range(rounds):
        left, cluster = list(range(len(points))), [None] * len(points)
        for k, centre in enumerate(centres):

            def distance(i, centre=centre):
                return sum((a - b) ** 2 for a, b in zip(points[i], centre, strict=True))

            taken = sorted(left, key=distance)[:room]
            for i in taken:
                cluster[i] = k
                left.remove(i)
            centres[k] = [
                sum(points[i][f] for i in taken) / room for f in range(len(centre))
            ]
        if cluster == found:
            break
        found = cluster
    return cluster, centres


def test_six_points_by_hand():
    cluster, centres = balanced_clusters(SIX, torch.tensor([[0.0], [10.0]]))
    assert cluster.tolist() == [0, 0, 0, 1, 1, 1]
    torch.testing.assert_close(centres, torch.tensor([[1.0], [22 / 3]]))


def test_who_comes_first_decides():
    """The trap: with the turns exchanged, another clustering, and a worse one."""
    points = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [8.0]])
    one, two = torch.tensor([[3.0], [1.0]]), torch.tensor([[1.0], [3.0]])
    found = []
    for start in (one, two):
        cluster, centres = balanced_clusters(points, start, rounds=1)
        found.append(float((points - centres[cluster]).square().sum()))
    assert found == [40.0, pytest.approx(16.0)]
    a = balanced_clusters(points, one, rounds=1)[0]
    assert a.tolist() == [1, 1, 0, 0, 0, 1]  # the last centre takes what is left


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_a_slow_loop(seed):
    g = torch.Generator().manual_seed(seed)
    points = torch.randn(24, 3, generator=g, dtype=torch.float64)
    start = points[torch.randperm(24, generator=g)[:4]]
    for rounds in (1, 2, 50):
        cluster, centres = balanced_clusters(points, start, rounds)
        expected = slow(points, start, rounds)
        assert cluster.tolist() == expected[0]
        torch.testing.assert_close(centres, torch.tensor(expected[1]).double())


def test_all_cells_are_equally_large_and_the_start_is_left_alone():
    points = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    start = points[:5].clone()
    cluster, _ = balanced_clusters(points, start)
    assert cluster.bincount().tolist() == [12] * 5
    assert torch.equal(start, points[:5])


def test_the_next_level_works_on_what_is_left():
    g = torch.Generator().manual_seed(0)
    points = torch.randn(16, 2, generator=g)
    seen = []

    def cluster(rest, level):
        seen.append((level, rest.clone()))
        return balanced_clusters(rest, rest[:4])

    words, residual = residual_codes(points, 3, cluster)
    assert words.shape == (16, 3)
    assert [level for level, _ in seen] == [0, 1, 2]
    rest = points
    for code, (_, given) in zip(words.T, seen, strict=True):
        torch.testing.assert_close(given, rest)
        means = torch.stack([rest[code == k].mean(0) for k in range(4)])
        rest = rest - means[code]
    torch.testing.assert_close(residual, rest)
    sizes = [words[:, c].bincount().unique().tolist() for c in range(3)]
    assert list(itertools.chain(*sizes)) == [4, 4, 4]


@pytest.mark.parametrize(
    ("points", "centres"),
    [((7, 2), (2, 2)), ((6, 2), (2, 3)), ((6, 2), (0, 2)), ((0, 2), (2, 2))],
)
def test_bad_shapes(points, centres):
    with pytest.raises(ValueError, match="n a multiple of K"):
        balanced_clusters(torch.zeros(points), torch.zeros(centres))


def test_bad_counts():
    with pytest.raises(ValueError, match="rounds is 0"):
        balanced_clusters(SIX, SIX[:2], 0)
    with pytest.raises(ValueError, match="levels is 0"):
        residual_codes(SIX, 0, lambda rest, level: None)
