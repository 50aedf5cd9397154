import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.models.semantic_ids import (
    RQVAE,
    ResidualQuantiser,
    finish_words,
    hashed_codes,
    nearest,
    random_codes,
)
from recsys_tutorial.train import fit

B, C, D, K, M = 40, 7, 5, 4, 3


def vectors(rows=B, width=C, seed=0):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def quantiser(**options):
    torch.manual_seed(0)
    return ResidualQuantiser(D, **({"codewords": K, "levels": M} | options))


def autoencoder(**options):
    torch.manual_seed(0)
    return RQVAE(C, **({"dim": D, "codewords": K, "levels": M, "units": 9} | options))


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# --- the quantiser


def test_four_points_by_hand():
    model = ResidualQuantiser(1, codewords=2, levels=2)
    with torch.no_grad():
        model.books.copy_(torch.tensor([[[0.0], [10.0]], [[-1.0], [1.0]]]))
    found = model(torch.tensor([[-2.0], [1.5], [9.0], [12.0]]))
    assert found.codes.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    close(found.vector, torch.tensor([[-1.0], [1.0], [9.0], [11.0]]))
    close(found.residuals[:, 1], torch.tensor([[-2.0], [1.5], [-1.0], [2.0]]))
    close(found.commitment, torch.tensor([(4 + 2.25 + 1 + 4) / 4, 2.25 / 4]))


def test_it_agrees_with_a_slow_loop():
    model, z = quantiser(), vectors(width=D)
    found = model(z)
    books, lost = model.books.detach(), torch.zeros(M)
    for b in range(B):
        rest, total = z[b], torch.zeros(D)
        for level in range(M):
            close(found.residuals[b, level], rest)
            far = [float((rest - word).norm()) for word in books[level]]
            code = far.index(min(far))
            assert found.codes[b, level] == code
            word = books[level, code]
            lost[level] += (rest - word).square().sum() / B
            rest, total = rest - word, total + word
        close(found.vector[b], total)
    close(found.commitment, lost)
    close(found.codebook, lost)


def test_a_later_level_never_changes_an_earlier_letter():
    three, one = quantiser(), quantiser(levels=1)
    with torch.no_grad():
        one.books.copy_(three.books[:1])
    z = vectors(width=D)
    assert (three(z).codes[:, :1] == one(z).codes).all()


# --- gradients: the two holes


def popular(model, z, minus_codeword=False):
    """What many public codes do: straight through at each level, and add up.

    The residual is what is left of the straight-through output; with `minus_codeword`,
    of the codeword, the obvious repair.
    """
    rest, total, commitment = z, 0, []
    for book in model.books:
        word = book[nearest(rest, book)]
        commitment.append((rest - word.detach()).square().sum(1).mean())
        through = rest + (word - rest).detach()
        total = total + through
        rest = rest - (word.detach() if minus_codeword else through)
    return total, torch.stack(commitment)


def norms(parts, z):
    return [
        torch.autograd.grad(part, z, retain_graph=True)[0].norm().item()
        for part in parts
    ]


def test_every_level_pulls_at_the_encoder_which_popular_code_does_not():
    model, z = quantiser(), vectors(width=D).requires_grad_()
    right, (_, wrong) = model(z), popular(model, z)
    close(right.commitment, wrong)  # in value nothing is wrong
    ours, theirs = norms(right.commitment, z), norms(wrong, z)
    assert theirs[0] == pytest.approx(ours[0])
    assert theirs[1:] == [0, 0]
    assert min(ours) > 0.1
    for level, norm in enumerate(ours):  # 2 (r - e) / B for each row
        last = right.residuals[:, level] - model.books[level][right.codes[:, level]]
        assert norm == pytest.approx((2 * last / B).norm().item(), rel=1e-4)


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_the_decoder_s_gradient_arrives_once_which_the_repair_multiplies(levels):
    model, z = quantiser(levels=levels), vectors(width=D).requires_grad_()
    downstream = vectors(width=D, seed=1)
    total, _ = popular(model, z, minus_codeword=True)
    close(total, model(z).vector)
    (ours,) = torch.autograd.grad((model(z).vector * downstream).sum(), z)
    (theirs,) = torch.autograd.grad((total * downstream).sum(), z)
    close(ours, downstream)
    close(theirs, levels * downstream)


def test_codebook_terms_move_their_own_book_and_nothing_else():
    model, z = quantiser(), vectors(width=D).requires_grad_()
    for level, term in enumerate(model(z).codebook):
        slope, of_z = torch.autograd.grad(
            term, [model.books, z], retain_graph=True, allow_unused=True
        )
        assert of_z is None
        moved = slope.flatten(1).any(1).tolist()
        assert moved == [other == level for other in range(M)]


def test_commitment_terms_move_no_book():
    model, z = quantiser(), vectors(width=D).requires_grad_()
    found = model(z)
    slope = torch.autograd.grad(
        found.commitment.sum(), model.books, retain_graph=True, allow_unused=True
    )
    assert slope == (None,)
    slope = torch.autograd.grad(found.vector.sum(), model.books, allow_unused=True)
    assert slope == (None,)


# --- the start


def test_a_k_means_start_leaves_no_codeword_without_work():
    z = vectors(200, D)
    model = quantiser(codewords=16)
    cold = [len(letters.unique()) for letters in model(z).codes.T]
    model.start(z)
    found = model(z)
    assert [len(letters.unique()) for letters in found.codes.T] == [16, 16, 16]
    assert min(cold) < 16
    left = found.residuals.square().sum((0, 2))
    assert left[0] > left[1] > left[2] > (z - found.vector).square().sum()


def test_the_start_is_the_seed_s_and_asks_for_enough_rows():
    z, books = vectors(200, D), []
    for seed in (0, 0, 1):
        model = quantiser()
        model.start(z, seed)
        books.append(model.books.detach().clone())
    assert (books[0] == books[1]).all()
    assert (books[0] != books[2]).any()
    with pytest.raises(ValueError, match="z has 3 rows; expected one for each of"):
        quantiser().start(z[:3])


def test_books_that_were_loaded_are_not_started_again():
    trained, fresh = autoencoder(), autoencoder()
    trained.start(vectors())
    fresh.load_state_dict(trained.state_dict())
    fresh.train()
    fresh.loss({"vectors": vectors(seed=1)})
    assert (fresh.quantiser.books == trained.quantiser.books).all()


# --- the autoencoder


def test_the_loss_has_the_paper_s_three_terms():
    model, x = autoencoder(beta=0.5), vectors()
    z = model.encoder(x)
    found = model.quantiser(z)
    lost = (model.decoder(found.vector) - x).square().sum(1).mean()
    expected = lost + found.codebook.sum() + 0.5 * found.commitment.sum()
    close(model.loss({"vectors": x}), expected)
    codebook, books = found.codebook.sum(), model.quantiser.books
    wanted = torch.autograd.grad(codebook, books)[0]  # not weighed: it has no beta
    close(torch.autograd.grad(model.loss({"vectors": x}), books)[0], wanted)
    close(model({"vectors": x}), model.decoder(found.vector))


def test_every_parameter_gets_a_gradient():
    model = autoencoder()
    model.loss({"vectors": vectors()}).backward()
    assert all(p.grad.any() for p in model.parameters())


def test_code_and_reconstruction_may_be_negative():
    """Where encoder and decoder end in a ReLU, as in one public code, they cannot."""
    model, x = autoencoder(codewords=16), vectors(200)
    model.start(x)
    fit(model, {"vectors": x}, epochs=60, batch_size=200, lr=1e-2, progress=False)
    assert model.encode(x).min() < -0.1
    out = model({"vectors": x})
    assert out.min() < -0.5
    positive_only = out.clamp(min=0)
    assert (out - x).square().mean() < 0.8 * (positive_only - x).square().mean()


def test_a_batch_of_one_is_as_in_company():
    model, x = autoencoder(), vectors()
    close(model({"vectors": x[:1]}), model({"vectors": x})[:1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: autoencoder(beta=-1.0), "beta is -1.0"),
        (lambda: autoencoder(levels=0), "levels is 0"),
        (lambda: autoencoder(codewords=0), "codewords is 0"),
        (lambda: autoencoder(units=0), "units is 0"),
        (lambda: autoencoder()({"vectors": vectors(width=3)}), r"shape \(40, 3\)"),
        (lambda: quantiser()(vectors(width=3)), r"z has shape \(40, 3\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- hashed and random letters, and the last one


def test_hashed_letters_are_sides_of_planes():
    x = vectors(300)
    codes = hashed_codes(x, 8, 2, seed=3)
    draw = torch.Generator().manual_seed(3)
    planes = torch.randn(C, 6, generator=draw)
    middle = x.mean(0)
    for row in (0, 17, 299):
        for level in range(2):
            side = [
                int((x[row] - middle) @ planes[:, 3 * level + bit] > 0)
                for bit in range(3)
            ]
            letter = side[0] + 2 * side[1] + 4 * side[2]
            assert codes[row, level] == letter
    assert codes.max() == 7
    assert (hashed_codes(x + 5, 8, 2, seed=3) == codes).float().mean() > 0.99


def test_alike_vectors_share_hashed_letters():
    x = vectors(100)
    near = hashed_codes(torch.cat([x, x + 0.01]), 16, 3).chunk(2)
    far = hashed_codes(torch.cat([x, vectors(100, seed=9)]), 16, 3).chunk(2)
    assert (near[0] == near[1]).float().mean() > 0.9
    assert (far[0] == far[1]).float().mean() < 0.4


def test_random_letters_cover_all_and_are_the_seed_s():
    codes = random_codes(500, K, M, seed=1)
    assert codes.shape == (500, M)
    assert all(letters.bincount().min() > 80 for letters in codes.T)
    assert (codes == random_codes(500, K, M, seed=1)).all()
    assert (codes != random_codes(500, K, M, seed=2)).any()


def test_the_last_letter_tells_items_of_equal_letters_apart():
    codes = torch.tensor([[1, 2], [0, 0], [1, 2], [2, 1], [1, 2], [0, 0]])
    words = finish_words(codes)
    assert words.tolist() == [
        [-1, -1, -1], [1, 2, 0], [0, 0, 0], [1, 2, 1], [2, 1, 0], [1, 2, 2], [0, 0, 1]
    ]  # fmt: skip


def test_words_are_all_different_and_of_one_length():
    words = finish_words(random_codes(300, K, 2))
    assert words.shape == (301, 3)  # also where an item is alone
    assert len(words.unique(dim=0)) == 301


def test_bad_codes():
    with pytest.raises(ValueError, match="3 items share their letters; .* at most 2"):
        finish_words(torch.zeros(3, 2, dtype=torch.int64), last=2)
    for codes in (torch.zeros(3, 2), torch.full((3, 2), -1), torch.zeros(3).long()):
        with pytest.raises(ValueError, match="codes has shape"):
            finish_words(codes)
    for codewords in (1, 12):
        with pytest.raises(ValueError, match=f"codewords is {codewords}; .* power of"):
            hashed_codes(vectors(), codewords, 2)


def test_normalised_residuals_do_not_add_up():
    """One public configuration divides each residual by its length."""
    z = vectors(200, D)
    model = quantiser(codewords=16)
    model.start(z)
    right = (z - model(z).vector).square().sum()
    rest, total = F.normalize(z, dim=1), 0
    for book in model.books:
        word = book[nearest(rest, book)]
        total, rest = total + word, F.normalize(rest - word, dim=1)
    assert (z - total).square().sum() > 2 * right
