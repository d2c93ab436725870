"""featurize: the examples with their features as of each one's own time, as a table; no row lost."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from trimtab.api.errors import DataRefused
from trimtab.api.project import Project
from trimtab.api.sources import ColumnType
from trimtab.features.columns import Array, Kind, is_missing
from trimtab.features.declaration import Request
from trimtab.features.definition import FeatureDefinition
from trimtab.features.plan import LabelRule, ServingPlan, planned_views
from trimtab.features.point_in_time import ROW, TIME
from trimtab.features.schema import Field, fields_of
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Content, Pointer, Tables
from trimtab.steps.arrow_columns import KIND_OF, arrow_table, column
from trimtab.steps.inputs import EXAMPLES, ID, assembled, check_request, read_examples, view_kinds
from trimtab.steps.labels import Labels, labels_of

if TYPE_CHECKING:
    import pyarrow as pa

LABEL: Final = "trimtab_label"
SLICE: Final = "trimtab_slice_"
SAMPLES: Final = 64
TABLE: Final = "_features/{}"
GROUP_ROWS: Final = 32_768
"""In a row group of the table: what learns from it reads so many rows at a time."""


@dataclass(frozen=True, slots=True)
class Featurized:
    """What featurize made.

    Attributes:
        pointer: the features table: `trimtab_row`, `trimtab_id`, `trimtab_time`, `trimtab_label` (class index
            or value, null where unknown), `trimtab_slice_<column>`, then the features by name.
        plan: the serving plan; it stands in the table's metadata too.
        labelled: rows with a label.
        warnings: a sentence for each feature without a value in any row; they stand in the table's metadata too.
    """

    pointer: Pointer
    plan: ServingPlan
    labelled: int
    warnings: tuple[str, ...]


def featurize(
    project: Project,
    definition: FeatureDefinition | None,
    pointers: Mapping[str, Pointer],
    engine: Engine,
    tables: Tables,
    until: datetime | None = None,
) -> Featurized:
    """Make the features table of a project's examples.

    Args:
        definition: of features.py; None takes every column of the examples but key, time and label.
        pointers: the tables, by name: the examples' and the viewed ones.
        until: no row at or after it, and no label known after it, is read.

    Raises:
        DataRefused, FeaturesRefused: the examples, the views and features.py do not fit together.
    """
    examples = project.examples
    name = project.examples_table
    if name not in pointers:
        raise DataRefused(
            f"examples.table '{name}' was not built", remedy=f"there are {', '.join(sorted(pointers))}"
        )
    held = {table: tables.at(pointer.table, pointer.version).columns for table, pointer in pointers.items()}
    _check_columns(project, name, held[name])
    definition = definition or whole_table(project, held[name])
    check_request(definition, name, held[name])
    views = planned_views(definition, view_kinds(definition, held))
    with engine.session(until=until) as session:
        session.mount(EXAMPLES, pointers[name])
        for view in views:
            session.mount(view.name, pointers[view.name])
        known_at = [examples.label.known_at] if examples.label.known_at else []
        asked = [*definition.request, examples.label.column, *known_at, *project.evaluation.kept_columns]
        rows = read_examples(session, examples.key, examples.time, asked, until)
        if rows.num_rows == 0:
            raise DataRefused(
                f"table '{name}' has no rows" + (f" before {until.isoformat()}" if until else ""),
                remedy="see what ingest and the table's SQL made",
            )
        inputs = assembled(session, rows, definition.request, views, examples.time is not None)
    features = definition.features(inputs)
    _check_names(features, definition)
    label = labels_of(rows.column(examples.label.column), examples.label.column)
    values = _known(label, rows, examples.label.known_at, until)
    plan = ServingPlan(
        model_name=project.name,
        inputs=tuple(Field(field, kind) for field, kind in definition.request.items()),
        key=tuple(examples.key),
        time=examples.time if examples.time in definition.request else None,
        views=views,
        transform_digest=definition.digest,
        outputs=fields_of(features),
        task=label.task,
        classes=label.classes,
        label=LabelRule(
            examples.label.column,
            examples.label.known_at,
            examples.label.mature_after.total_seconds(),
            str(examples.label.missing),
        ),
        time_zone=project.time_zone,
    )
    warnings = _warnings(features, definition, name)
    table = _table(rows, values, features, project.evaluation.kept_columns, examples.time is not None)
    metadata = {
        "step": "featurize",
        "plan": plan.to_json(),
        "until": until.isoformat() if until else None,
        "reads": {table: asdict(pointer) for table, pointer in pointers.items() if table in held},
        "samples": _samples(rows, definition.request),
        "warnings": warnings,
        "order": ROW,
    }
    version = tables.overwrite(TABLE.format(name), _content(table, plan, metadata))
    pointer = Pointer(version.name, version.version, version.rows, version.digest)
    return Featurized(pointer, plan, int(np.isfinite(values).sum()), warnings)


def whole_table(project: Project, held: Mapping[str, ColumnType]) -> FeatureDefinition:
    """Features of a project without features.py: every column but key and label, and the time as a time."""
    label = project.examples.label
    left_out = {*project.examples.key, label.column, label.known_at}
    kinds: dict[str, Kind] = {
        name: KIND_OF[kind]
        for name, kind in held.items()
        if name not in left_out and (KIND_OF[kind] != "timestamp" or name == project.examples.time)
    }
    return FeatureDefinition(Request(**kinds), path="trimtab.yaml")


def _check_columns(project: Project, name: str, held: Mapping[str, ColumnType]) -> None:
    examples = project.examples
    named = {
        "examples.label.column": [examples.label.column],
        "examples.label.knownAt": [examples.label.known_at] if examples.label.known_at else [],
        "examples.time": [examples.time] if examples.time else [],
        "examples.key": examples.key,
        "evaluation.slices": project.evaluation.slices,
        "evaluation.fairness.attributes": project.evaluation.fairness.attributes
        if project.evaluation.fairness
        else [],
        "evaluation.group": [project.evaluation.group] if project.evaluation.group else [],
    }
    for field, columns in named.items():
        if lacking := [column for column in columns if column not in held]:
            raise DataRefused(
                f"trimtab.yaml: {field} names '{lacking[0]}', which table '{name}' lacks",
                remedy=f"the table has {', '.join(held)}",
            )


def _check_names(features: Mapping[str, Array], definition: FeatureDefinition) -> None:
    if wrong := [name for name in features if name.startswith("trimtab_")]:
        raise DataRefused(
            f"{definition.path}: feature '{wrong[0]}' takes a reserved name", remedy="rename it"
        )


def _warnings(features: Mapping[str, Array], definition: FeatureDefinition, examples: str) -> tuple[str, ...]:
    """What a person should look at: a model takes a feature without values, and learns nothing from it."""
    viewed = {name: view.name for view in definition.views for name in view.columns.values()}
    told = []
    for name, values in features.items():
        if not is_missing(values).all():
            continue
        view = viewed.get(name)
        mend = (
            f"mend what makes it in table '{examples}' or in {definition.path}"
            if view is None
            else f"see by, time and max_age of the view of '{view}', and what that table holds"
        )
        told.append(f"feature '{name}' has no value in any of {len(values):,} rows; {mend}, or leave it out")
    return tuple(told)


def _known(label: Labels, rows: "pa.Table", known_at: str | None, until: datetime | None) -> Array:
    """Labels, NaN where they were not known by `until`."""
    if known_at is None or until is None:
        return label.values
    known = column(rows.column(known_at), "timestamp")
    limit = np.datetime64(int(until.timestamp() * 1e6), "us")
    return np.where(known <= limit, label.values, np.nan)


def _table(
    rows: "pa.Table", labels: Array, features: Mapping[str, Array], slices: list[str], timed: bool
) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    made = {ROW: rows.column(ROW), ID: rows.column(ID)}
    if timed:
        made[TIME] = pc.cast(rows.column(TIME), pa.timestamp("us", tz="UTC"))
    made[LABEL] = pa.array(labels, pa.float64(), from_pandas=True)
    for name in slices:
        made[SLICE + name] = pc.cast(rows.column(name), pa.string())
    made |= zip(features, arrow_table(features).columns, strict=True)
    return pa.table(made)


def _content(table: "pa.Table", plan: ServingPlan, metadata: Mapping[str, Any]) -> Content:
    kinds: dict[str, ColumnType] = {ROW: "integer", ID: "string", TIME: "timestamp", LABEL: "number"}
    kinds |= {name: "string" for name in table.column_names if name.startswith(SLICE)}
    kinds |= {field.name: "string" if field.type == "string" else "number" for field in plan.outputs}
    columns = {name: kinds[name] for name in table.column_names}
    digest = hashlib.sha256()
    for part in _buffers(table):
        digest.update(part)
    batches = table.to_reader(max_chunksize=GROUP_ROWS)
    return Content(columns, batches, table.num_rows, digest.hexdigest(), metadata, GROUP_ROWS)


def _buffers(table: "pa.Table") -> Iterator[bytes]:
    """The table's bytes, column by column; its order is fixed by `trimtab_row`."""
    import pyarrow as pa

    for name in table.column_names:
        yield f"\0{name}\0{table.schema.field(name).type}".encode()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.schema([table.schema.field(name)])) as writer:
            writer.write_table(table.select([name]).combine_chunks())
        yield sink.getvalue()


def _samples(rows: "pa.Table", request: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """The newest rows as requests: JSON values, times as RFC 3339, missing as null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    newest = rows.slice(max(0, rows.num_rows - SAMPLES)).select(list(request))
    for i, (name, kind) in enumerate(request.items()):
        values = newest.column(name)
        if kind == "timestamp":
            text = pc.strftime(pc.cast(values, pa.timestamp("us", tz="UTC")), format="%Y-%m-%dT%H:%M:%SZ")
            newest = newest.set_column(i, name, text)
        elif kind in ("number", "boolean"):
            newest = newest.set_column(
                i, name, pc.cast(values, pa.bool_() if kind == "boolean" else pa.float64())
            )
    return [dict(row) for row in newest.to_pylist()]
