"""Where tables come from: real datasets as documented DataFrames, and simulators.

Nothing in here knows of models. Importing it does not import torch.
"""

from recsys_tutorial.data.census import load_census
from recsys_tutorial.data.fetch import DataError
from recsys_tutorial.data.movielens import MovieLens, load_movielens

__all__ = ["DataError", "MovieLens", "load_census", "load_movielens"]
