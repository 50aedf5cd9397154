"""For each live figure, what its script computes, once more and by the package.

A twin has ``states(draw, kept)``, an endless supply of places for the handles;
``answer(numbers, words, state)``, by the package's own classes; ``SPAN``, for each name
in the answer the width of the range that the figure shows, or 0 where integers have to
agree; ``ORDER``, names whose five largest are to be the same with the numbers as
trained; and ``BREAKS``, mistakes in the script that the comparison has to notice, each
an old text and a new one.
"""
