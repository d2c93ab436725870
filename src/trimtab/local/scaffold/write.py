"""Writing the project that `trimtab init` promises: few lines, each with its reason."""

import random
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trimtab.adapters.projects.load import FILE
from trimtab.api.errors import InputRefused
from trimtab.local.scaffold.guess import Guesses, guess
from trimtab.local.scaffold.read import read_any

SCHEMA_LINE = "# yaml-language-server: $schema=.trimtab-schema.json"


def from_table(folder: Path, name: str, table: Path, label: str, time: str | None) -> Guesses:
    """A project in `folder` over a copy of `table`.

    Raises:
        InputRefused: the folder holds a project already, or the table cannot serve.
    """
    guesses = guess(read_any(table), table.name, label, time)
    _start(folder)
    (folder / "data").mkdir()
    copy = f"data/{re.sub(r'[^A-Za-z0-9._-]+', '-', table.name)}"  # a glob must not see a pattern in it
    shutil.copyfile(table, folder / copy)
    (folder / FILE).write_text(project_text(name, copy, label, guesses), encoding="utf-8")
    _finish(folder)
    return guesses


def made_up(folder: Path, name: str) -> Guesses:
    """A project in `folder` over a small table made by code, so that everything runs at once."""
    _start(folder)
    (folder / "data").mkdir()
    table = folder / "data" / "signups.csv"
    table.write_text(signups(4000, seed=7), encoding="utf-8")
    guesses = guess(read_any(table), table.name, "churned", "signed_up_at")
    (folder / FILE).write_text(project_text(name, "data/signups.csv", "churned", guesses), encoding="utf-8")
    _finish(folder)
    return guesses


def project_text(name: str, file: str, label: str, guesses: Guesses) -> str:
    """The project file as text, with a comment on each guess."""
    lines = [SCHEMA_LINE, "apiVersion: trimtab.dev/v1alpha1", "kind: Project", f"name: {name}", "sources:", "  data:",
             f"    files: {file}"]  # fmt: skip
    lines += [f"    # {note}" for note in guesses.notes]
    if len(guesses.nulls) > 1:
        lines.append(f"    nulls: [{', '.join(_quoted(mark) for mark in guesses.nulls)}]")
    if guesses.naive:
        lines.append(f"    timeZones: {{{', '.join(f'{_quoted(column)}: UTC' for column in guesses.naive)}}}")
    if guesses.ignore:
        lines.append(f"    ignore: [{', '.join(_quoted(column) for column in guesses.ignore)}]")
    lines += ["examples:                # one row is one prediction", "  table: data"]
    if guesses.key:
        lines.append(f"  key: [{', '.join(_quoted(column) for column in guesses.key)}]")
    if guesses.time:
        lines.append(f"  time: {_quoted(guesses.time)}")
    lines.append(
        f"  label: {{column: {_quoted(label)}, matureAfter: 1d}}   # {guesses.task}; scored a day later"
    )
    held = (
        "{validation: 0.2, test: 0.2}" if guesses.time is None else "{validation: 0.15, test: 0.15, gap: 0s}"
    )
    lines += ["model: {family: gradient_boosting}   # or a model.py with `def build(schema, **params)`",
              f"training: {{split: {held}, seed: 7}}"]  # fmt: skip
    return "\n".join(lines) + "\n"


def signups(rows: int, seed: int) -> str:
    """A made-up table of customers as csv; churn depends on plan, visits and late payments."""
    draw = random.Random(seed)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    lines = ["customer_id,signed_up_at,plan,region,visits,late_payments,churned"]
    for row in range(rows):
        plan, region = draw.choice(["free", "basic", "pro"]), draw.choice(["north", "south", "east", "west"])
        visits, late = draw.randint(0, 40), draw.choices([0, 1, 2, 3], [70, 18, 8, 4])[0]
        odds = 0.25 + 0.2 * (plan == "free") - 0.012 * visits + 0.15 * late
        when = start + timedelta(minutes=97 * row)
        lines.append(
            f"c{row:06d},{when.isoformat()},{plan},{region},{visits},{late},{int(draw.random() < odds)}"
        )
    return "\n".join(lines) + "\n"


def _start(folder: Path) -> None:
    if (folder / FILE).exists():
        raise InputRefused(
            f"{folder} holds a project already", remedy="choose another name, or remove it first"
        )
    if folder.exists() and any(folder.iterdir()):
        raise InputRefused(f"{folder} is not empty", remedy="choose another name")
    folder.mkdir(parents=True, exist_ok=True)


def _finish(folder: Path) -> None:
    from trimtab.local.schema import editor_schema

    (folder / ".trimtab-schema.json").write_text(editor_schema(), encoding="utf-8")
    (folder / ".gitignore").write_text(".trimtab/\n.env\n", encoding="utf-8")


def _quoted(text: str) -> str:
    plain = text.replace("_", "a").isalnum() and not text[:1].isdigit() and text.lower() not in _YAML_WORDS
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_YAML_WORDS = frozenset({"null", "none", "nan", "na", "true", "false", "yes", "no", "on", "off", "y", "n"})
