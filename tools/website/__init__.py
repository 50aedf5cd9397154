"""The middle floor: the site in three editions.

`editions` builds it with the Sphinx extensions in ``ext/`` and the pages' frame in
``theme/``; `links` reads what was built, `contents` says what belongs to it, and
`address` writes down where it is published. It may import `tools.workshop` and
`recsys_tutorial`. Start it with ``python -m tools.website.editions``, or `make book`.
"""
