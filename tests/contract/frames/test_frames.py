"""Files of every kind, read by the real readers."""

import gzip

import pytest

from trimtab.adapters import frames


@pytest.fixture(scope="module")
def pa():
    import pyarrow

    return pyarrow


@pytest.fixture(scope="module")
def table(pa):
    return pa.table({"a": [1, None, 3], "b": ["x", None, "z"]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pa, table):
    from deltalake import write_deltalake
    from pyarrow import csv, feather, parquet

    folder = tmp_path_factory.mktemp("frames")
    parquet.write_table(table, folder / "t.parquet")
    csv.write_csv(table, folder / "t.csv")
    (folder / "t.csv.gz").write_bytes(gzip.compress((folder / "t.csv").read_bytes()))
    (folder / "t.tsv").write_bytes((folder / "t.csv").read_bytes().replace(b",", b"\t"))
    feather.write_feather(table, folder / "t.feather")
    with pa.ipc.new_file(folder / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(folder / "stream.arrow", table.schema) as writer:
        writer.write_table(table)
    (folder / "t.jsonl").write_text('{"a": 1, "b": "x"}\n{"a": null, "b": null}\n{"a": 3, "b": "z"}\n')
    (folder / "parts").mkdir()
    parquet.write_table(table, folder / "parts" / "one.parquet")
    write_deltalake(folder / "delta", table)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "t.parquet",
        "t.csv",
        "t.csv.gz",
        "t.tsv",
        "t.feather",
        "t.arrow",
        "stream.arrow",
        "t.jsonl",
        "parts",
        "delta",
    ],
)
def test_every_kind_reads_alike(folder, table, name):
    assert frames.read(folder / name).to_pydict() == table.to_pydict()


@pytest.mark.parametrize(
    ("name", "content", "refusal", "why"),
    [
        ("t.xlsx", b"", frames.FileKindUnknown, "kind is not known"),
        ("empty.csv", b"", frames.FileUnreadable, "it is empty"),
        ("empty.parquet", b"", frames.FileUnreadable, "it is empty"),
        ("cut.parquet", b"PAR1abc", frames.FileUnreadable, "cut.parquet"),
        ("cut.csv.gz", gzip.compress(b"a,b\n1,2\n" * 9, mtime=0)[:-12], frames.FileUnreadable, "cut.csv.gz"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n", frames.FileUnreadable, "Expected 2 columns, got 3"),
        ("bad.jsonl", b'{"a": 1}\n{"a": "x"}\n', frames.FileUnreadable, "bad.jsonl"),
        ("bad.arrow", b"nonsense", frames.FileUnreadable, "bad.arrow"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, refusal, why):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(refusal, match=why) as refused:
        frames.read(tmp_path / name)
    assert refused.value.remedy


def test_a_path_that_leads_nowhere_is_named(tmp_path):
    with pytest.raises(frames.FileMissing, match="nowhere"):
        frames.read(tmp_path / "nowhere.csv")
