"""A CSV as people have it is read, and there is one sentence for what is not."""

import gzip

import pytest

from recsys_tutorial.data.tables import read_table

HEADER = "user,item,time,price\n"
ROWS = "007,a,2026-01-31,3.5\n7,b,2026-02-01,\n"


@pytest.fixture
def written(tmp_path):
    """Write bytes or text into a file, and give its path."""

    def write(content, name="log.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(
            content if isinstance(content, bytes) else content.encode(encoding)
        )
        return path

    return write


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "::"])
def test_the_separator_is_found(written, separator):
    path = written((HEADER + ROWS).replace(",", separator), "log.txt")
    table = read_table(path, ["user", "item"])
    assert table.separator == separator
    assert list(table.rows.columns) == ["user", "item", "time", "price"]
    assert table.rows["price"].tolist()[0] == 3.5


def test_what_is_asked_for_decides_between_two_separators(written):
    path = written("a;b,c;d\n1;2,3;4\n5;6,7;8\n")
    assert read_table(path, ["b,c"]).separator == ";"
    assert read_table(path, ["a;b"]).separator == ","


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8-sig"),
        ("utf-8-sig", "utf-8-sig"),
        ("gbk", "gb18030"),
        ("utf-16", "utf-16"),
    ],
)
def test_the_encoding_is_found(written, encoding, told):
    path = written("用户\t城市\n007\t上海\n8\t北京\n", "log.tsv", encoding)
    table = read_table(path, ["用户"])
    assert table.encoding == told
    assert table.rows["城市"].tolist() == ["上海", "北京"]


def test_a_western_file_is_not_read_as_chinese(written):
    path = written("user,film\n1,Amélie\n2,Léon, the one\n", encoding="cp1252")
    table = read_table(path, ["user"])
    assert table.encoding == "cp1252"
    assert table.rows["film"].tolist() == ["Amélie"]
    assert table.skipped == 1  # a comma without quotes


def test_ids_stay_text_and_other_columns_become_numbers(written):
    rows = read_table(written(HEADER + ROWS), ["user", "item"]).rows
    assert rows["user"].tolist() == ["007", "7"]
    assert rows["price"].isna().tolist() == [False, True]


def test_what_is_missing_depends_on_the_column(written):
    path = written("id,n,word\nNA,NA,x\nNULL,1,y\n,-,z\n")
    rows = read_table(path, ["id"]).rows
    assert rows["id"].isna().tolist() == [False, True, True]  # NA may be a name
    assert rows["n"].isna().tolist() == [True, False, True]


def test_a_comma_is_a_point_between_semicolons_alone(written):
    assert read_table(written("a;b\n1;3,5\n2;4\n"), ["a"]).rows["b"].tolist() == [
        3.5,
        4,
    ]
    rows = read_table(written('a,b\n1,"3,5"\n2,"4,5"\n'), ["a"]).rows
    assert rows["b"].tolist() == ["3,5", "4,5"]


def test_an_infinite_number_is_missing(written):
    rows = read_table(written("a,b\n1,inf\n2,3\n4,-Inf\n"), ["a"]).rows
    assert rows["b"].isna().tolist() == [True, False, True]
    assert rows["b"].iloc[1] == 3


def test_truth_values_are_numbers(written):
    rows = read_table(written("a,b\n1,True\n2,False\n3,\n"), ["a"]).rows
    assert rows["b"].tolist()[:2] == [1, 0]


def test_a_file_without_a_header(written):
    path = written("1\t5\t3\n2\t6\t4\n", "u.data")
    table = read_table(path, ["user"], names=["user", "item", "rating"])
    assert table.rows["user"].tolist() == ["1", "2"]
    assert table.rows["rating"].tolist() == [3, 4]


def test_a_compressed_file(written):
    path = written(gzip.compress((HEADER + ROWS).encode()), "log.csv.gz")
    assert len(read_table(path, ["user"]).rows) == 2


def test_parquet_ids_are_text_as_in_a_csv(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "log.parquet"
    pd.DataFrame({"user": [7.0, None], "n": [1, 2]}).to_parquet(path)
    rows = read_table(path, ["user"]).rows
    assert rows["user"].iloc[0] == "7"
    assert rows["user"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; expected a header"),
        ("user,item\n", "a header and no rows"),
        (b"PK\x03\x04...", "save it as CSV UTF-8"),
        ("userid,item\n1,2\n", r"lacks \['user'\].*perhaps 'userid'"),
        ("user,user\n1,2\n", "two columns 'user'"),
        (b"user,x\n1,\x81\x20\n", "in none of the encodings"),
    ],
)
def test_a_bad_file_has_its_sentence(written, content, message):
    with pytest.raises(ValueError, match=message):
        read_table(written(content), ["user"])


def test_a_further_column_is_asked_for_too(written):
    with pytest.raises(ValueError, match=r"lacks \['paid'\]"):
        read_table(written(HEADER + ROWS), ["user"], ["paid"])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="not there; expected a file"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(FileNotFoundError, match="a folder; expected a file"):
        read_table(tmp_path)
