"""`trimtab check`: everything that is wrong with a project's files, at once, before anything runs."""

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.adapters.projects.load import FILE, Loaded, load, load_platform
from trimtab.api.document import FilesRefused, Problem, read, validate
from trimtab.api.errors import InputRefused
from trimtab.api.expectations import Expectations
from trimtab.api.project import Project
from trimtab.api.rollout import Check, Rollout, Step
from trimtab.sequential import samples

ROWS = 1000
FEATURES_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found.

    Attributes:
        name: the project's name; the folder's while trimtab.yaml cannot be read.
        problems: what must be mended.
        notes: what is worth knowing.
    """

    name: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


def check_project(folder: Path, platform: str | None = None) -> Findings:
    """Check trimtab.yaml, platform.yaml and every file that they name."""
    try:
        loaded = load(folder)
        load_platform(folder, platform)
    except FilesRefused as refused:
        return Findings(folder.name, refused.problems)
    except InputRefused as refused:
        return Findings(folder.name, (Problem(FILE, 0, "", refused.message, refused.remedy or ""),))
    problems = [
        *expectation_problems(loaded),
        *feature_problems(loaded),
        *model_problems(loaded),
        *undecidable(loaded),
    ]
    return Findings(loaded.project.name, tuple(sorted(problems, key=lambda one: (one.file, one.line))))


def expectation_problems(loaded: Loaded) -> Iterator[Problem]:
    """expectations.yaml: its form, and tables that are not there."""
    file = loaded.project.expectations
    if file is None:
        return
    try:
        document = read((loaded.root / file).read_text(encoding="utf-8"), file)
        expectations = validate(Expectations, document)
    except FilesRefused as refused:
        yield from refused.problems
        return
    known = {*loaded.project.sources, *loaded.project.tables}
    for table in expectations.root:
        if table not in known:
            yield Problem(file, document.line((table,)), table, "is neither a source nor a table",
                          f"known: {', '.join(sorted(known))}")  # fmt: skip


def feature_problems(loaded: Loaded) -> Iterator[Problem]:
    """features.py in a fresh process: it loads, imports nothing heavy, and treats each row alone."""
    from trimtab.features.check import check_features
    from trimtab.features.definition import FeaturesRefused, load_features

    file = loaded.project.features
    if file is None or (broken := syntax_problem(loaded.root, file)):
        if file is not None and broken:
            yield broken
        return
    path = loaded.root / file
    try:
        definition = load_features(path)
        inputs = made_up_inputs(
            {
                **definition.request,
                **{name: "number" for view in definition.views for name in view.columns.values()},
            }
        )
    except FeaturesRefused as refused:
        yield Problem(file, 0, "", refused.message, refused.remedy or "")
        return
    for finding in check_features(path, inputs, FEATURES_TIMEOUT_S):
        yield Problem(file, finding.line or 0, "", finding.message, finding.remedy or "")


def made_up_inputs(kinds: Mapping[str, str]) -> dict[str, Any]:
    """Seeded rows with missing values among them, shape (1000,) a column, to try a transform on."""
    draw = np.random.default_rng(7)
    missing = draw.random(ROWS) < 0.05
    columns: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind == "string":
            columns[name] = np.where(missing, "", draw.choice(["a", "b", "c"], ROWS)).astype(object)
        elif kind == "timestamp":
            seconds = draw.integers(0, 366 * 86400, ROWS)
            times = np.datetime64("2024-01-01", "us") + seconds.astype("timedelta64[s]")
            columns[name] = np.where(missing, np.datetime64("NaT", "us"), times)
        elif kind == "boolean":
            columns[name] = np.where(missing, np.nan, draw.integers(0, 2, ROWS))
        else:
            columns[name] = np.where(missing, np.nan, draw.normal(10, 5, ROWS).round(2))
    return columns


def model_problems(loaded: Loaded) -> Iterator[Problem]:
    """model.py: it parses and defines build."""
    file = loaded.project.model
    if not isinstance(file, str):
        return
    if broken := syntax_problem(loaded.root, file):
        yield broken
        return
    tree = ast.parse((loaded.root / file).read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if "build" not in names:
        yield Problem(
            file,
            1,
            "",
            "defines no `build`",
            "write `def build(schema, **params):` that returns an estimator",
        )


def syntax_problem(root: Path, file: str) -> Problem | None:
    try:
        ast.parse((root / file).read_text(encoding="utf-8"))
    except SyntaxError as error:
        return Problem(file, error.lineno or 0, "", f"not Python: {error.msg}")
    return None


def undecidable(loaded: Loaded) -> Iterator[Problem]:
    """Steps that cannot get the verdict that they require, in their time, at the stated traffic."""
    rollout = loaded.project.rollout
    for index, step in enumerate(rollout.steps):
        for check in rollout.checks_at(step):
            if reason := never_passes(loaded.project, rollout, step, check):
                path = ("rollout", "steps", index, "until", "maxDuration")
                yield Problem(FILE, loaded.document.line(path), f"rollout.steps[{index}]", *reason)


def never_passes(project: Project, rollout: Rollout, step: Step, check: Check) -> tuple[str, str] | None:
    """(why a required check can never pass at a step, the remedy); None when it can."""
    longest = step.until.max_duration
    if longest is None or check.require.value != "Pass":
        return None
    alpha = rollout.alphas(check)[1]
    if check.labelled:
        block = timedelta(days=1) if check.block in (None, "1d") else timedelta(hours=1)
        least = project.examples.label.mature_after + samples.blocks_for_mean(alpha) * block
        if longest < least:
            return (
                f"'{check.name}' cannot pass at '{step.name}' within {longest}: labels mature after "
                f"{project.examples.label.mature_after}, and its interval is finite from "
                f"{samples.blocks_for_mean(alpha)} blocks on",
                f"make maxDuration at least {least}",
            )
        return None
    if project.traffic is None or step.canary is None or check.metric != "error_rate":
        return None
    margin = check.no_worse_than_stable_by
    if margin is None or margin.absolute is None:
        return None
    share = step.canary.percent / 100
    needed = samples.requests_for_rate(float(margin.absolute), alpha, share)
    seen = project.traffic.requests_per_day * share * (longest / timedelta(days=1))
    if seen >= needed:
        return None
    days = math.ceil(needed / (project.traffic.requests_per_day * share))
    return (
        f"'{check.name}' needs {needed} requests to the candidate to pass; "
        f"'{step.name}' sees about {seen:.0f} in {longest}",
        f"make maxDuration at least {days}d, the share or the margin larger, or require: NotFailed",
    )
