"""Files are read with their lines, and refused with every problem at once."""

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trimtab.api.document import FilesRefused, read, validate
from trimtab.api.platform import Platforms
from trimtab.api.project import Project

GOOD = """\
name: flights
timeZone: America/New_York
sources:
  flights: {files: "data/*.csv", nulls: ["", NA]}
tables: {departures: sql/departures.sql}
examples:
  table: departures
  key: [flight_id]
  time: scheduled_departure
  label: {column: arrived_late, knownAt: label_known_at, matureAfter: 24h}
evaluation: {gates: [{metric: roc_auc, atLeast: 0.65}]}
"""


def problems(text: str) -> list[tuple[int, str, str, str]]:
    with pytest.raises(FilesRefused) as refused:
        validate(Project, read(text, "trimtab.yaml"))
    return [(one.line, one.path, one.message, one.remedy) for one in refused.value.problems]


def test_a_good_file_is_taken():
    project = validate(Project, read(GOOD, "trimtab.yaml"))
    assert project.files == ["sql/departures.sql"]
    assert project.examples_table == "departures"


@pytest.mark.parametrize("field", ["online", "mlflow", "dataRoot"])
def test_a_password_that_is_written_out_is_refused_and_not_repeated(field):
    for secret in ("hunter2", "hunt@er/2", "h:u%40"):
        text = f"platforms:\n  lab: {{{field}: 'redis://:{secret}@redis:6379/0'}}\n"
        with pytest.raises(FilesRefused) as refused:
            validate(Platforms, read(text, "platform.yaml"))
        assert "holds a password" in str(refused.value)
        assert "write ${NAME} in its place" in str(refused.value)
        assert secret not in str(refused.value)
    good = f"platforms: {{lab: {{{field}: 'redis://:${{REDIS_PASSWORD}}@redis:6379/0'}}}}"
    validate(Platforms, read(good, "platform.yaml"))


def test_every_problem_is_told_with_its_line_and_remedy():
    bad = GOOD.replace("timeZone: America/New_York", "timezone: UTC").replace("24h", "24 hours")
    bad = bad.replace("atLeast", "atLeest")
    found = problems(bad)
    assert [(line, path) for line, path, _, _ in found] == [
        (2, "timezone"), (10, "examples.label.matureAfter"), (11, "evaluation.gates[0].atLeest"),
    ]  # fmt: skip
    assert found[0][3] == "did you mean `timeZone`?"
    assert "7d" in found[1][3]
    assert found[2][3] == "did you mean `atLeast`?"


@pytest.mark.parametrize(
    ("change", "path", "word"),
    [
        (("name: flights", "name: Flights!"), "name", "lower case"),
        (("America/New_York", "Mars/Olympus"), "timeZone", "IANA"),
        (("  label: {column: arrived_late, ", "  label: {"), "examples.label.column", "required"),
        (("sql/departures.sql", "../secret.sql"), "tables.departures", "leaves"),
        (("sql/departures.sql", "/etc/passwd"), "tables.departures", "leaves"),
        (("table: departures", "table: departed"), "", "neither"),
        (("atLeast: 0.65", "atLeast: 0.65, atMost: 0.9"), "evaluation.gates[0]", "one of"),
        (("tables: {departures", "tables: {flights: sql/f.sql, departures"), "", "both"),
    ],
)
def test_one_wrong_field_is_named(change, path, word):
    found = problems(GOOD.replace(*change))
    assert found[0][1] == path
    assert word in found[0][2] + found[0][3]


def test_a_key_given_twice_is_refused_with_both_lines():
    line, path, message, _ = problems(GOOD + "name: again\n")[0]
    assert (line, path) == (12, "name")
    assert "line 1" in message


@pytest.mark.parametrize("text", ["", "- a\n", "42", "a: [1", "a: b: c", "\t"])
def test_what_is_no_project_is_refused_with_the_file(text):
    with pytest.raises(FilesRefused, match=r"trimtab\.yaml"):
        validate(Project, read(text, "trimtab.yaml"))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=12))  # fmt: skip
def test_any_yaml_is_taken_or_refused_but_never_breaks(data):
    with contextlib.suppress(FilesRefused):
        validate(Project, read(yaml.safe_dump(data), "trimtab.yaml"))
