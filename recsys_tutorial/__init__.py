"""The thin package behind the book: data, models, training, metrics, plots, claims."""

__version__ = "0.1.0"
