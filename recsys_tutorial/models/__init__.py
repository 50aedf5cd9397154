"""One module per paper, named after it."""
