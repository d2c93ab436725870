"""What `trimtab init --from` makes of tables as people have them."""

import csv
import gzip
import io
import json
import zipfile

import pytest

from trimtab.api.document import read, validate
from trimtab.api.errors import InputRefused
from trimtab.api.project import Project
from trimtab.local import scaffold
from trimtab.local.scaffold.guess import LEAST_ROWS

ROWS = 200


def columns(**more):
    """A table that can be learned from: a number, a word, a label."""
    return {
        "age": [20 + i % 50 for i in range(ROWS)],
        "plan": ["free" if i % 3 else "pro" for i in range(ROWS)],
        "left": [i * 7 % 5 == 0 for i in range(ROWS)],
        **more,
    }


def text(table, delimiter=","):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return out.getvalue()


@pytest.fixture
def project(tmp_path):
    """Init from a csv of these columns; answers (guesses, the project as read)."""

    def make(table, label="left", time=None, name="rows.csv", content=None):
        file = tmp_path / name
        file.write_bytes(text(table).encode() if content is None else content)
        guesses = scaffold.from_table(tmp_path / "made", "made", file, label, time)
        written = (tmp_path / "made" / "trimtab.yaml").read_text(encoding="utf-8")
        return guesses, validate(Project, read(written, "trimtab.yaml"))

    return make


def test_marks_of_no_value_become_nulls(project):
    guesses, made = project(columns(age=["?" if i % 9 == 0 else str(i % 40) for i in range(ROWS)]))
    assert guesses.nulls == ("", "?")
    assert made.sources["data"].nulls == ["", "?"]
    assert guesses.task == "binary"


def test_names_with_spaces_umlauts_and_words_of_yaml_survive_the_file(project):
    table = {"Größe (cm)": columns()["age"], "no": columns()["plan"], "Abgang?": columns()["left"]}
    _, made = project(table, label="Abgang?")
    assert made.examples.label.column == "Abgang?"


def test_times_without_a_zone_are_taken_as_utc_and_said_so(project):
    times = [f"2024-01-{1 + i % 28:02d} 10:{i % 60:02d}:00" for i in range(ROWS)]
    guesses, made = project(columns(seen=times), time="seen")
    assert made.sources["data"].time_zones == {"seen": "UTC"}
    assert made.examples.time == "seen"
    assert any("seen" in note and "UTC" in note for note in guesses.notes)


def test_a_time_that_is_not_asked_for_is_named_and_left_out(project):
    days = [f"2024-01-{1 + i % 28:02d}" for i in range(ROWS)]
    guesses, _ = project(columns(day=days))
    assert any("--time day" in note for note in guesses.notes)
    assert any(note.startswith("left out: 'day'") for note in guesses.notes)


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (["yes", "no"] * (ROWS // 2), "binary"),
        (["red", "green", "blue", "red"] * (ROWS // 4), "multiclass"),
        ([1, 2, 3, 4] * (ROWS // 4), "multiclass"),
        ([i * 1.5 for i in range(ROWS)], "regression"),
        ([0.5, 1.5, 2.5, 3.5] * (ROWS // 4), "regression"),
        (list(range(ROWS)), "regression"),
    ],
)
def test_the_task_is_what_training_will_infer(project, labels, task):
    guesses, _ = project(columns(left=labels))
    assert guesses.task == task


@pytest.mark.parametrize(
    ("name", "values", "is_key"),
    [
        ("customer", [f"c{i:04d}" for i in range(ROWS)], True),
        ("row", list(range(ROWS)), True),
        ("account_id", [i * 13 for i in range(ROWS)], True),
        ("income", [1000 + i * 13 for i in range(ROWS)], False),
        ("comment", [f"said this {i}" for i in range(ROWS)], False),
        ("width", [i * 1.37 for i in range(ROWS)], False),
    ],
)
def test_an_id_is_told_from_a_measurement(project, name, values, is_key):
    guesses, made = project(columns(**{name: values}))
    assert (guesses.key == (name,)) is is_key
    assert made.examples.key == ([name] if is_key else [])


def test_a_column_that_tells_the_label_is_suspected(project):
    guesses, _ = project(columns(closed=[int(value) for value in columns()["left"]]))
    assert any(note.startswith("leak? 'closed'") for note in guesses.notes)


def test_useless_columns_are_left_out(project):
    _, made = project(columns(same=["x"] * ROWS, note=[f"free text {i}" for i in range(ROWS)]))
    assert made.sources["data"].ignore == ["same", "note"]


def test_json_lines_with_z_are_in_utc(project):
    lines = "".join(
        json.dumps({"at": f"2024-01-01T00:{i % 60:02d}:00Z", "x": i, "y": i % 2}) + "\n" for i in range(ROWS)
    )
    guesses, _ = project({}, label="y", time="at", name="rows.jsonl", content=lines.encode())
    assert guesses.naive == ()


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_any_usual_delimiter_is_read(project, delimiter):
    guesses, _ = project({}, name="rows.csv", content=text(columns(), delimiter).encode())
    assert guesses.task == "binary"


def test_packed_tables_are_read(project, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", text(columns()))
    assert project({}, name="rows.csv.zip", content=packed.getvalue())[0].task == "binary"
    other = tmp_path / "rows.csv.gz"
    other.write_bytes(gzip.compress(text(columns()).encode()))
    assert scaffold.from_table(tmp_path / "other", "other", other, "left", None).task == "binary"


@pytest.mark.parametrize(
    ("content", "said", "remedy"),
    [
        (b"", "is empty", "header"),
        (b"age,left\n", "no rows", str(LEAST_ROWS)),
        (text({"age": range(50), "left": [0, 1] * 25}).encode(), "50 rows have a 'left'", str(LEAST_ROWS)),
        (text(columns(left=[1] * ROWS)).encode(), "the same in every row", "two values"),
        (b"a,a,left\n" + b"1,2,0\n" * 9, "two columns are named 'a'", "own name"),
        (b",a,left\n" + b"1,2,0\n" * 9, "column 1 has no name", "index=False"),
        ("größe,left\n1,0\n".encode("latin1"), "not UTF-8", "iconv"),
        (
            text(columns(gone=columns().pop("left"))).encode().replace(b"left", b"laft"),
            "no column 'left'",
            "'laft'",
        ),
    ],
    ids=["empty", "header", "tiny", "one class", "twice", "unnamed", "latin1", "typo"],
)
def test_what_cannot_be_learned_from_is_refused_with_a_remedy(project, content, said, remedy):
    with pytest.raises(InputRefused) as refused:
        project({}, content=content)
    assert said in refused.value.message
    assert remedy in refused.value.remedy


def test_a_truncated_gz_is_refused(project):
    with pytest.raises(InputRefused, match="cannot be read"):
        project({}, name="rows.csv.gz", content=gzip.compress(text(columns()).encode())[:200])


def test_a_time_with_gaps_or_no_time_at_all_is_refused(project, tmp_path):
    with pytest.raises(InputRefused, match="holds text, not times"):
        project(columns(), time="plan")
    with pytest.raises(InputRefused, match="missing in 1 of"):
        project(columns(at=["", *(["2024-01-01"] * (ROWS - 1))]), time="at")


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "mine.txt").write_text("mine")
    with pytest.raises(InputRefused, match="not empty"):
        scaffold.made_up(tmp_path / "held", "held")


def test_the_made_up_project_is_in_order(tmp_path):
    from trimtab.local.check import check_project

    scaffold.made_up(tmp_path / "tryout", "tryout")
    assert check_project(tmp_path / "tryout").problems == ()
