"""The check of features.py on real rows, where there are tables, else on made-up ones."""

from collections.abc import Mapping
from pathlib import Path

from trimtab.api.errors import TrimtabError
from trimtab.api.project import Project
from trimtab.features.check import ROWS, Finding, check_features
from trimtab.features.columns import Array, Kind, take
from trimtab.features.definition import FeatureDefinition, load_features
from trimtab.features.plan import planned_views
from trimtab.features.sample import synthetic_inputs
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer, Tables
from trimtab.steps.inputs import EXAMPLES, assembled, check_request, read_examples, view_kinds


def check_project_features(
    project: Project, path: Path, pointers: Mapping[str, Pointer], engine: Engine, tables: Tables
) -> list[Finding]:
    """Everything wrong with a features.py: what it declares, imports, and does with rows beside each other.

    Args:
        pointers: tables that exist; with none of the examples', rows are made up and a View's column whose table
            is missing counts as a number.
    """
    try:
        definition = load_features(path)
        inputs = _real(project, definition, pointers, engine, tables)
    except TrimtabError as refused:
        return [Finding(refused.message, remedy=refused.remedy or "")]
    return check_features(path, inputs if inputs is not None else synthetic_inputs(_kinds(definition)))


def _kinds(definition: FeatureDefinition) -> dict[str, Kind]:
    looked_up: dict[str, Kind] = {
        name: "number" for view in definition.views for name in view.columns.values()
    }
    return {**definition.request, **looked_up}


def _real(
    project: Project,
    definition: FeatureDefinition,
    pointers: Mapping[str, Pointer],
    engine: Engine,
    tables: Tables,
) -> dict[str, Array] | None:
    """Inputs of the newest 1,000 examples; None without tables to read them from."""
    name = project.examples_table
    needed = [name, *(view.name for view in definition.views)]
    if any(table not in pointers for table in needed):
        return None
    held = {table: tables.at(pointers[table].table, pointers[table].version).columns for table in needed}
    check_request(definition, name, held[name])
    views = planned_views(definition, view_kinds(definition, held))
    examples = project.examples
    with engine.session() as session:
        session.mount(EXAMPLES, pointers[name])
        for view in views:
            session.mount(view.name, pointers[view.name])
        rows = read_examples(session, examples.key, examples.time, list(definition.request), None)
        if rows.num_rows == 0:
            return None
        inputs = assembled(session, rows, definition.request, views, examples.time is not None)
    return take(inputs, slice(max(0, rows.num_rows - ROWS), None))
