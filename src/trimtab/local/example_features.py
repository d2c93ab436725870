"""Features of rows that someone has in hand, looked up as of each row's own time, as training looks them up."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import InputRefused
from trimtab.local.extras import need
from trimtab.local.frame_kinds import columns_of

if TYPE_CHECKING:
    import pyarrow as pa

PLACE = "trimtab_place"


def features(loaded: Loaded, home: Home, table: "pa.Table") -> "pa.Table":
    """One row of features for each row of `table`, in its order.

    Args:
        table: REQUEST's columns, and `examples.time` where a View has a time.

    Raises:
        InputRefused: a table that a View names is not built yet.
        DataRefused: a column is missing or of another kind.
        ExtraMissing: the extra `data` is not installed.
    """
    need("features of a project", "data")
    import pyarrow as pa

    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.bootstrap.local import tables_here
    from trimtab.features.columns import Kind
    from trimtab.features.definition import load_features
    from trimtab.features.plan import planned_views
    from trimtab.ports.tables import Pointer
    from trimtab.steps.arrow_columns import arrow_table, column
    from trimtab.steps.featurize import whole_table
    from trimtab.steps.inputs import EXAMPLES, assembled, read_examples, view_kinds

    project = loaded.project
    tables = tables_here(loaded, home)
    heads = {name: head for name in tables.names() if (head := tables.head(name)) is not None}
    if project.features is not None:
        definition = load_features(loaded.root / project.features)
    elif project.examples_table in heads:
        definition = whole_table(project, heads[project.examples_table].columns)
    else:
        raise InputRefused(f"table '{project.examples_table}' is not there yet", remedy="trimtab run")
    absent = [view.name for view in definition.views if view.name not in heads]
    if absent:
        raise InputRefused(f"table '{absent[0]}', which VIEWS names, is not there yet", remedy="trimtab run")
    views = planned_views(
        definition, view_kinds(definition, {name: head.columns for name, head in heads.items()})
    )
    time = project.examples.time if any(view.time for view in views) else None
    kinds: dict[str, Kind] = {**definition.request, **({time: "timestamp"} if time else {})}
    asked = arrow_table(columns_of(table, kinds, {}))
    asked = asked.append_column(PLACE, pa.array(np.arange(table.num_rows)))
    with DuckEngine(tables, scratch=home.path / "tmp").session(until=datetime.now(UTC)) as session:
        session.mount_arrow(EXAMPLES, asked)
        for view in views:
            head = heads[view.name]
            session.mount(view.name, Pointer(head.name, head.version, head.rows, head.digest))
        rows = read_examples(session, [], time, [*definition.request, PLACE], None)
        inputs = assembled(session, rows, definition.request, views, time is not None)
    made = arrow_table(definition.features(inputs))
    back = np.argsort(column(rows.column(PLACE), "number").astype(np.int64), kind="stable")
    return made.take(pa.array(back))
