import pytest
import torch

from recsys_tutorial.data.list_world import list_world


def test_shapes_and_ranges():
    world = list_world(500, n_users=20, n_items=30, n_topics=4, length=7, size=3)
    assert world.topic.tolist() == [-1, *(i % 4 for i in range(30))]
    assert world.content.shape == (31, 12)
    assert (world.content[0] == 0).all()
    assert world.history.shape == (20, 7)
    assert world.items.shape == (500, 3)
    assert world.labels.shape == (500, 2)
    for rows in (world.history, world.items):
        assert rows.min() >= 1
        assert rows.max() <= 30
        assert all(len(set(row)) == len(row) for row in rows.tolist())  # none twice
    assert world.user.max() <= 19
    assert set(world.labels.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(world.taste.mean(1), torch.zeros(20), atol=1e-6, rtol=0)


def test_the_utility_agrees_with_a_loop():
    world = list_world(300, n_users=10, n_items=12, n_topics=3, size=4, length=5)
    items = world.items.clone()
    items[::3, 1] = 0
    items[5] = 0
    found = world.utility(world.user, items)
    for u, row, value in zip(world.user.tolist(), items.tolist(), found, strict=True):
        topics = [int(world.topic[i]) for i in row if i]
        taste = sum(float(world.taste[u, t]) for t in topics) / 4
        pairs = sum(a == b for n, a in enumerate(topics) for b in topics[:n])
        assert float(value) == pytest.approx(taste - 3.0 * pairs / 6, abs=1e-5)


def test_five_of_one_topic_pay_the_whole_repetition_and_nothing_is_worth_nothing():
    world = list_world(10)
    same = torch.tensor([[1, 9, 17, 25, 33]])
    user = torch.tensor([3])
    expected = world.taste[3, 0] - 3.0
    torch.testing.assert_close(world.utility(user, same)[0], expected)
    assert world.utility(user, torch.zeros_like(same)).tolist() == [0.0]


def test_labels_follow_the_utility_as_told():
    world = list_world(60_000, seed=1)
    odds = 4 * (world.utility(world.user, world.items) - 0.7)
    for target, shift in ((0, 0.0), (1, 1.5)):
        p = (odds - shift).sigmoid()
        for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
            rows = (p > low) & (p < high)
            rate = world.labels[rows, target].mean()
            assert rate == pytest.approx(float(p[rows].mean()), abs=0.02)


def test_histories_follow_tastes_and_lists_follow_them_mildly():
    world = list_world(20_000, seed=2)
    of_history = world.taste.gather(1, world.topic[world.history]).mean()
    of_list = world.taste[world.user].gather(1, world.topic[world.items]).mean()
    assert of_history > of_list + 0.1 > 0.5
    flat = list_world(20_000, warmth=0.0, seed=2)
    blind = flat.taste[flat.user].gather(1, flat.topic[flat.items]).mean()
    assert abs(blind) < 0.05


def test_seeds_and_what_the_cost_of_repetition_does_not_touch():
    a, b, c = (list_world(50, seed=s) for s in (1, 1, 2))
    free = list_world(50, repetition=0.0, threshold=1.0, seed=1)
    for name in ("content", "taste", "history", "user", "items"):
        assert torch.equal(getattr(a, name), getattr(b, name))
        assert torch.equal(getattr(a, name), getattr(free, name))
    assert torch.equal(a.labels, b.labels)
    assert not torch.equal(a.items, c.items)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_logs": 0}, "n_logs is 0"),
        ({"n_users": 0}, "n_users is 0"),
        ({"n_items": 4}, "n_items is 4"),
        ({"size": 1}, "two in a list"),
        ({"repetition": -1.0}, "repetition is -1.0"),
        ({"warmth": float("inf")}, "warmth inf"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        list_world(**({"n_logs": 10} | options))


def test_bad_lists():
    world = list_world(10)
    with pytest.raises(ValueError, match=r"items \(3,\)"):
        world.utility(torch.zeros(3).long(), torch.ones(3).long())
    with pytest.raises(ValueError, match=r"user has shape \(2,\)"):
        world.utility(torch.zeros(2).long(), torch.ones(3, 5).long())
