"""The top floor: what a teacher takes along, made from the same notebooks.

Slides, printed pages and books, copies without solutions, assignments for nbgrader.
It may import `tools.website`, `tools.workshop` and `recsys_tutorial`; nothing imports
it. Start it with ``python -m tools.course.slides`` (or ``pdf``, ``student``), or with
`make slides`, `make pdf`, `make student`, `make nbgrader`.
"""
