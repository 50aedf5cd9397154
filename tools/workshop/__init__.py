"""The ground floor: notebooks as files, and the environment that all else runs in.

Here notebooks are executed, fingerprinted, checked and kept in step with the package,
new chapters are laid out, and text is linted. It may import `recsys_tutorial` and
nothing else of the house. Each module that a reader starts says so in its first lines:
``python -m tools.workshop.execute``; `make` knows them all.
"""
