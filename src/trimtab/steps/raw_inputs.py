"""The inputs of features.py for rows whose features are known already: REQUEST's fields and looked-up columns."""

from collections.abc import Mapping, Sequence

import numpy as np

from trimtab.api.project import Project
from trimtab.features.columns import Array, Kind, take
from trimtab.features.plan import PlannedView
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer
from trimtab.steps.arrow_columns import column
from trimtab.steps.inputs import EXAMPLES, ID, assembled, read_examples
from trimtab.steps.learning_rows import LearningRows


def raw_inputs(
    project: Project,
    rows: LearningRows,
    request: Mapping[str, Kind],
    views: Sequence[PlannedView],
    pointers: Mapping[str, Pointer],
    engine: Engine,
) -> dict[str, Array]:
    """Input by name, in the order of `rows`.

    Args:
        pointers: the examples' and the viewed tables.

    Raises:
        TrimtabError: the tables no longer hold what `request` and `views` name.
    """
    examples = project.examples
    with engine.session(until=rows.until) as session:
        session.mount(EXAMPLES, pointers[project.examples_table])
        for view in views:
            session.mount(view.name, pointers[view.name])
        asked = [*request, *examples.key]
        table = read_examples(session, examples.key, examples.time, asked, rows.until)
        place = {name: i for i, name in enumerate(column(table.column(ID), "string").tolist())}
        chosen = np.array([place[name] for name in rows.ids.tolist()])
        inputs = assembled(session, table, request, views, examples.time is not None)
    return take(inputs, chosen)
