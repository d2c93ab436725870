"""predict: what a model folder says of the examples of a period, kept as a table of predictions.

Features are those of the folder's own features.py, as of each example's own time: the past is answered as it would have
been then. The same model over the same period takes the place of what stands there, so a second run changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from trimtab.api.errors import DataRefused, InputRefused
from trimtab.api.project import Project
from trimtab.api.sources import ColumnType
from trimtab.features.columns import Array
from trimtab.features.declaration import Request
from trimtab.features.definition import FeatureDefinition, load_features
from trimtab.features.plan import ServingPlan
from trimtab.features.point_in_time import TIME
from trimtab.ports.dialect import literal, quoted
from trimtab.ports.engine import Engine, Session
from trimtab.ports.tables import Content, Pointer, Tables, TableVersion
from trimtab.steps.arrow_columns import column
from trimtab.steps.content import sums
from trimtab.steps.inputs import EXAMPLES, ID, assembled, read_examples
from trimtab.steps.model_folder import read_model_folder
from trimtab.steps.scoring import OnnxModel

if TYPE_CHECKING:
    import pyarrow as pa

TABLE: Final = "_predictions/{}"
MADE, HELD, WHOLE = "trimtab_made", "trimtab_held", "trimtab_whole"


@dataclass(frozen=True, slots=True)
class Predicted:
    """What predict made.

    Attributes:
        pointer: the table of predictions: `id`, `time` (where examples have one), `version`, `digest`, `prediction`
            (the positive class's probability, the value, or of several classes the likeliest), then of several
            classes `probability_<class>` of each. It holds every model and period that was ever predicted.
        rows: predicted now.
        spread: of these predictions: quantiles by name, or of several classes the share of each.
    """

    pointer: Pointer
    rows: int
    spread: Mapping[str, float]


def predict(
    project: Project,
    folder: Path,
    version: str,
    pointers: Mapping[str, Pointer],
    engine: Engine,
    tables: Tables,
    since: datetime | None,
    until: datetime,
) -> Predicted:
    """Answer for each example in [since, until).

    Args:
        folder: the model's.
        version: its registry version; it stands beside each prediction.
        pointers: the examples' and the viewed tables.

    Raises:
        InputRefused: `since` where examples have no time, or not before `until`.
        DataRefused: a table that the model looks up is not there, or the table of predictions has other columns.
        SurroundingsFailed: the folder cannot be read, or another run commits meanwhile.
    """
    _check_period(project, since, until)
    digest = read_model_folder(folder).digest
    plan = ServingPlan.from_json((folder / "plan.json").read_bytes())
    name = TABLE.format(project.examples_table)
    held = tables.head(name)
    with engine.session(until=until) as session:
        rows, answers = _answered(project, folder, plan, session, pointers, since, until)
        made, kinds = _table(rows, answers, plan, version, digest)
        if held is not None and dict(held.columns) != kinds:
            raise DataRefused(
                f"table '{name}' holds {', '.join(held.columns)}; this model gives {', '.join(kinds)}",
                remedy=f"move {tables.address(name)} away: its predictions are of another label",
            )
        session.mount_arrow(MADE, made)
        _keep_others(session, held, digest, since, until, timed=TIME in rows.column_names)
        content = sums(session, WHOLE, kinds)
        found = content.digest(kinds)
        if held is None or held.digest != found:
            order = "order by time, id, digest" if "time" in kinds else "order by id, digest"
            batches = session.stream(f"select * from {WHOLE} {order}")
            metadata = {"step": "predict", "model": digest, "version": version, "until": until.isoformat(),
                        "since": since.isoformat() if since else None}  # fmt: skip
            held = tables.overwrite(
                name,
                Content(kinds, batches, content.rows, found, metadata),
                base=held.version if held else None,
            )
    return Predicted(
        Pointer(held.name, held.version, held.rows, held.digest), made.num_rows, _spread(answers, plan)
    )


def _check_period(project: Project, since: datetime | None, until: datetime) -> None:
    if since is None:
        return
    if project.examples.time is None:
        raise InputRefused(
            "since is given, but examples have no time",
            remedy="name the column that says when a prediction is made under examples.time, or leave since out",
        )
    if since >= until:
        raise InputRefused(
            f"since {since.isoformat()} is not before until {until.isoformat()}",
            remedy="give a period that holds examples",
        )


def _answered(
    project: Project,
    folder: Path,
    plan: ServingPlan,
    session: Session,
    pointers: Mapping[str, Pointer],
    since: datetime | None,
    until: datetime,
) -> tuple["pa.Table", Array]:
    """Examples of the period, and the model's answers to them."""
    import pyarrow as pa

    examples = project.examples
    for table in (project.examples_table, *(view.name for view in plan.views)):
        if table not in pointers:
            raise DataRefused(
                f"the model reads table '{table}', which was not built",
                remedy=f"there are {', '.join(sorted(pointers))}; predict with the project that it was trained in",
            )
    definition = _definition(folder, plan)
    session.mount(EXAMPLES, pointers[project.examples_table])
    for view in plan.views:
        session.mount(view.name, pointers[view.name])
    asked = [*definition.request, *examples.key]
    rows = read_examples(session, examples.key, examples.time, asked, until)
    if since is not None:
        start = np.datetime64(round(since.timestamp() * 1e6), "us")
        rows = rows.filter(pa.array(column(rows.column(TIME), "timestamp") >= start))
    if rows.num_rows == 0:
        return rows, np.zeros((0, max(1, len(plan.classes))))
    inputs = assembled(session, rows, definition.request, plan.views, examples.time is not None)
    return rows, OnnxModel(folder / "model.onnx", plan).answers(definition.features(inputs))


def _definition(folder: Path, plan: ServingPlan) -> FeatureDefinition:
    """The folder's own features.py; without one, input is output."""
    if plan.transform_digest:
        return load_features(folder / "features.py")
    return FeatureDefinition(Request(**{field.name: field.type for field in plan.inputs}))


def _table(
    rows: "pa.Table", answers: Array, plan: ServingPlan, version: str, digest: str
) -> tuple["pa.Table", dict[str, ColumnType]]:
    """The predictions, and the type of each column."""
    import pyarrow as pa

    timed = {"time": rows.column(TIME)} if TIME in rows.column_names else {}
    said = {name: pa.array([text] * rows.num_rows, pa.string()) for name, text in
            (("version", version), ("digest", digest))}  # fmt: skip
    kinds: dict[str, ColumnType] = {"id": "string"}
    if timed:
        kinds["time"] = "timestamp"
    kinds |= {"version": "string", "digest": "string"}
    if plan.task == "multiclass":
        likeliest = np.array([plan.classes[i] for i in answers.argmax(axis=1)], object)
        values = {"prediction": pa.array(likeliest, pa.string())}
        values |= {f"probability_{one}": pa.array(answers[:, i]) for i, one in enumerate(plan.classes)}
        kinds["prediction"] = "string"
        kinds |= dict.fromkeys([name for name in values if name != "prediction"], "number")
    else:
        values = {"prediction": pa.array(answers[:, -1])}
        kinds["prediction"] = "number"
    return pa.table({"id": rows.column(ID), **timed, **said, **values}), kinds


def _keep_others(
    session: Session,
    held: TableVersion | None,
    digest: str,
    since: datetime | None,
    until: datetime,
    *,
    timed: bool,
) -> None:
    """The view of the whole table as it will be: what is made, and what other models and periods left."""
    if held is None:
        session.run(f"create temporary view {WHOLE} as select * from {MADE}")
        return
    session.mount(HELD, Pointer(held.name, held.version, held.rows, held.digest))
    replaced = f"digest = {literal(digest)}"
    if timed:
        first = f"{quoted('time')} >= {literal(since)} and " if since else ""
        replaced += f" and {first}{quoted('time')} < {literal(until)}"
    session.run(
        f"create temporary view {WHOLE} as select * from {HELD} where not ({replaced}) "
        f"union all by name select * from {MADE}"
    )


def _spread(answers: Array, plan: ServingPlan) -> dict[str, float]:
    if len(answers) == 0:
        return {}
    if plan.task == "multiclass":
        chosen = answers.argmax(axis=1)
        return {name: float((chosen == i).mean()) for i, name in enumerate(plan.classes)}
    shares = {"least": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "most": 1.0}
    found = np.quantile(answers[:, -1], list(shares.values()))
    return {"mean": float(answers[:, -1].mean()), **dict(zip(shares, found.tolist(), strict=True))}
