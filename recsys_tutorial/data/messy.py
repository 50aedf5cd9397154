"""A log as messy as people's own: MovieLens-100K with what files of shops have wrong.

Only for trying out how a log is read: the labels are a stand-in.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_tutorial.data.movielens import MovieLens
from recsys_tutorial.data.sequences import film_titles
from recsys_tutorial.data.tensors import unseen_items


def write_messy_log(path: str | Path, movielens: MovieLens, seed: int = 0) -> None:
    """Write a table of impressions with every fault that is common, as a CSV.

    Each rated film counts as shown and watched, liked from 4 stars on. Beside each
    stands a film drawn from those that the viewer never rated: shown at the same time
    and not watched. That is our assumption; nobody knows what was shown.

    The faults: ids and times are text (``v00196``, ISO 8601), 3 % of the rows stand
    there twice, 1 % lack the viewer, 1 % the time, 10 % the age, every seventh film its
    year; 300 guests have a single row; the rows are in no order.

    Parameters
    ----------
    path : path
        Where the file goes.
    movielens : MovieLens
        As `load_movielens` gives it.
    seed : int
        Of all that is drawn.
    """
    draw = np.random.default_rng(seed)
    ratings, users, films = movielens
    who, film = ratings["user"].to_numpy(), ratings["item"].to_numpy()
    titles = film_titles(films)
    other = unseen_items(who, film, who, len(titles), seed)
    shown = pd.DataFrame(
        {
            "user": np.tile(who, 2),
            "item": np.concatenate([film, other]),
            "time": np.tile(ratings["time"].to_numpy(), 2),
            "watched": np.repeat([1, 0], len(who)),
            "stars": np.concatenate([ratings["rating"], np.zeros(len(who), int)]),
        }
    )
    shown = shown.merge(users, on="user").merge(films, on="item")
    guest = draw.choice(len(shown), 300, replace=False)
    viewer = shown["user"].map("v{:05}".format)
    viewer.iloc[guest] = [f"guest-{n}" for n in range(300)]
    table = pd.DataFrame(
        {
            "viewer": viewer,
            "film": [titles[i] for i in shown["item"]],
            "shown_at": pd.to_datetime(shown["time"], unit="s"),
            "watched": shown["watched"],
            "liked": (shown["stars"] >= 4).astype(int),
            "age": shown["age"].astype("Int64"),
            "gender": shown["gender"].astype(object),
            "occupation": shown["occupation"].astype(object),
            "genre": [genres[0] for genres in shown["genres"]],
            "year": shown["year"].where(shown["item"] % 7 > 0),
        }
    )
    table["shown_at"] = table["shown_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    for column, share in (("viewer", 0.01), ("shown_at", 0.01), ("age", 0.1)):
        table.loc[draw.random(len(table)) < share, column] = None
    again = table.sample(frac=0.03, random_state=seed)
    table = pd.concat([table, again]).sample(frac=1, random_state=seed)
    table.to_csv(path, index=False, encoding="utf-8-sig")
