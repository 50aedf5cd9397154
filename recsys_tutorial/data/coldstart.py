"""Users and items that are held out whole, what is known of them, and a world.

Dimension letters: ``U`` users, ``I`` items, ``C`` columns of content, ``R`` rank.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.movielens import GENRES
from recsys_tutorial.data.sequences import film_genres
from recsys_tutorial.layers import positive

AGES = [0, 18, 25, 35, 45, 50, 56]  # the bands of MovieLens-1M begin here
PERIODS = {  # of release, by first year
    0: "before 1950",
    1950: "1950s",
    1960: "1960s",
    1970: "1970s",
    1980: "1980s",
    1990: "1990 to 1994",
    1995: "1995",
    1996: "1996",
    1997: "from 1997",
}


class Held(NamedTuple):
    """What `hold_out` returns."""

    new_users: np.ndarray  # ids, int64, ascending
    new_items: np.ndarray
    warm: pd.DataFrame  # old users, old items
    item_cold: pd.DataFrame  # old users, new items
    user_cold: pd.DataFrame  # new users, old items
    both_cold: pd.DataFrame  # new users, new items


def hold_out(
    ratings: pd.DataFrame, users: float = 0.2, items: float = 0.2, seed: int = 0
) -> Held:
    """Draw users and items whose ratings nobody is trained on.

    Parameters
    ----------
    ratings : DataFrame
        Columns ``user`` and ``item``, ids from 1; each row goes into one of four
        tables, with all of its columns.
    users, items : float
        Share of the users, and of the items, to draw; from 0 to below 1.
    seed : int
        Draws both.

    Raises
    ------
    ValueError
        As `check_events`, but for the order; or if a share is out of its range.
    """
    told = check_events(ratings, timed=False, name="ratings")
    draw = np.random.default_rng(seed)
    new = []
    for name, column, share in (("users", "user", users), ("items", "item", items)):
        if not 0 <= share < 1:
            raise ValueError(f"{name} is {share}; expected a share from 0 to below 1")
        ids = np.unique(told[column])
        new.append(np.sort(draw.choice(ids, round(share * len(ids)), replace=False)))
    new_users, new_items = new
    user_is_new = np.isin(told["user"], new_users)
    item_is_new = np.isin(told["item"], new_items)
    parts = [
        ratings[(user_is_new == u) & (item_is_new == i)].reset_index(drop=True)
        for u, i in ((False, False), (False, True), (True, False), (True, True))
    ]
    return Held(new_users, new_items, *parts)


def film_content(films: pd.DataFrame) -> tuple[Tensor, list[str]]:
    """Genres and period of release: ``(I, C)`` floats by id, and the columns' names.

    1 where a film has the genre, or is of the period, else 0. Row 0 is zero; a film
    without a year has no period. ValueError for an id below 1, or twice, for a genre
    that is none, or a year before 0.
    """
    genres = film_genres(films)
    period = torch.zeros(len(genres), len(PERIODS))
    dated = films.dropna(subset="year")
    year = dated["year"].to_numpy(int)
    if len(year) and year.min() < 0:
        raise ValueError(f"year holds {year.min()}; expected years from 0")
    which = np.searchsorted(list(PERIODS), year, side="right") - 1
    period[dated["item"].to_list(), which] = 1.0
    return torch.cat([genres, period], 1), [*GENRES, *PERIODS.values()]


def user_content(users: pd.DataFrame) -> tuple[Tensor, list[str]]:
    """Age band, gender and occupation: ``(U, C)`` zeros and ones by id; their names.

    Row 0 is zero, and of what is missing (NaN, None) no column is 1. ValueError for an
    id below 1, or twice, an age below 0, or a column that is no category.
    """
    told = check_events(
        users, ids=("user",), timed=False, unique=("user",), name="users"
    )
    rows = torch.tensor(told["user"])
    fields = [_age_bands(users["age"]), _codes(users, "gender")]
    tables, columns = [], []
    for code, labels in [*fields, _codes(users, "occupation")]:
        table = torch.zeros(int(rows.max()) + 1, len(labels))
        known = code >= 0
        table[rows[known], code[known]] = 1.0
        tables.append(table)
        columns += labels
    return torch.cat(tables, 1), columns


def _age_bands(ages: pd.Series) -> tuple[Tensor, list[str]]:
    """The number of each one's band, -1 where the age is missing; their names."""
    age = ages.to_numpy(dtype=float, na_value=np.nan)
    if (age < 0).any():
        row = int((age < 0).argmax())
        raise ValueError(f"age is {ages.iloc[row]} in row {row}; expected years from 0")
    band = np.searchsorted(AGES, age, side="right") - 1
    code = torch.tensor(np.where(np.isnan(age), -1, band))
    return code, [f"from {a}" if a else f"below {AGES[1]}" for a in AGES]


def _codes(users: pd.DataFrame, column: str) -> tuple[Tensor, list[str]]:
    """The number of each one's category, -1 where it is missing; their names."""
    values = users[column]
    if not isinstance(values.dtype, pd.CategoricalDtype):
        raise ValueError(
            f"{column} has dtype {values.dtype}; expected a category: "
            f'users["{column}"].astype("category")'
        )
    code = torch.tensor(values.cat.codes.to_numpy().astype(np.int64))
    return code, list(values.cat.categories)


class Tastes(NamedTuple):
    """What `content_tastes` returns."""

    users: Tensor  # (U, R), the true tastes
    content: Tensor  # (I, C), what is known of the items
    score: Tensor  # (U, I), how much each user likes each item
    from_content: Tensor  # (U, I), the best guess of it from tastes and content


def content_tastes(
    n_users: int = 400,
    n_items: int = 300,
    *,
    n_content: int = 10,
    rank: int = 6,
    share: float = 0.6,
    spread: float = 1.5,
    seed: int = 0,
) -> Tastes:
    r"""A world in which content explains a known share of what people like.

    An item's factors are ``sqrt(share) W c + sqrt(1 - share) z``: of their variance
    the content ``c`` explains `share`, and chance ``z`` the rest. A user's score of an
    item is the product of both factors. Who knows the tastes and ``W`` to perfection,
    and of an item only the content, can guess no better than ``from_content``: that
    is the ceiling for any method, as long as nobody has met the item.

    Parameters
    ----------
    n_users, n_items : int
        ``U`` and ``I``; ids are row numbers, from 0, and there is no padding.
    n_content, rank : int
        Columns of content ``C``, standard normal, and rank ``R`` of the factors.
    share : float
        From 0, content says nothing, to 1, content says all.
    spread : float
        Standard deviation of the scores, above 0.
    seed : int
        Draws the world. The draws do not depend on `share` and `spread`.

    Returns
    -------
    Tastes
        Floats. The variance of ``from_content`` is `share` of that of ``score``, on
        average over worlds.

    Not in a paper.
    """
    positive("n_users", n_users), positive("n_items", n_items)
    positive("n_content", n_content), positive("rank", rank)
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; expected a share from 0 to 1")
    if not 0 < spread < float("inf"):
        raise ValueError(f"spread is {spread}; expected a finite number above 0")
    g = torch.Generator().manual_seed(seed)
    users = torch.randn(n_users, rank, generator=g)
    content = torch.randn(n_items, n_content, generator=g)
    w = torch.randn(n_content, rank, generator=g) / n_content**0.5
    chance = torch.randn(n_items, rank, generator=g)
    scale = spread / rank**0.5
    known = scale * users @ (share**0.5 * content @ w).T  # (U, I)
    unknown = scale * users @ ((1 - share) ** 0.5 * chance).T
    return Tastes(users, content, known + unknown, known)
