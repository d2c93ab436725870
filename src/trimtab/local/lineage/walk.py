"""lineage: from what a person names, a model version or a prediction, down to the sources."""

from itertools import groupby
from pathlib import Path

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.bootstrap.local import registry, tables_here
from trimtab.features.plan import ServingPlan
from trimtab.local.extras import need
from trimtab.local.lineage.logged import Logged, predictions
from trimtab.local.lineage.model import model_node
from trimtab.local.lineage.node import Node
from trimtab.local.lineage.rows import row_nodes
from trimtab.local.versions import named_version, provenance_in
from trimtab.ports.registry import ModelVersion
from trimtab.rollout import revision_id


def lineage(target: str, loaded: Loaded, home: Home) -> Node:
    """The tree of a model version or of a prediction.

    Args:
        target: `NAME/VERSION`, `NAME@ALIAS`, or a prediction's id or its first characters.

    Raises:
        InputRefused: neither a version nor a prediction, or several predictions.
        SurroundingsFailed: a model's folder, a table version or the log cannot be read.
    """
    if (version := named_version(target, loaded, home)) is not None:
        return model_node(version, home)
    need("the lineage of a prediction", "data", "collector")
    found = predictions(target, home.collector)
    by_revision = [list(group) for _, group in groupby(sorted(found, key=lambda one: one.revision),
                                                       key=lambda one: one.revision)]  # fmt: skip
    served = {revision_id(one.digest, one.name): one for one in _versions(loaded, home)}
    answers = tuple(_answer(group, served.get(group[0].revision), loaded, home) for group in by_revision)
    return Node("prediction", found[0].id, {"answers": len(found)}, answers)


def _answer(answers: list[Logged], version: ModelVersion | None, loaded: Loaded, home: Home) -> Node:
    """What one revision answered, the newest of its answers, and what this was made of."""
    newest = max(answers, key=lambda one: one.at)
    facts = {
        "at": newest.at.isoformat(),
        "prediction": newest.prediction,
        "times": len(answers),
        "features": dict(newest.features),
    }
    if version is None:
        because = "no version of the registry here was served as this revision"
        return Node("answer", newest.revision, {**facts, "because": because})
    made = provenance_in(version)
    if made is None:
        return Node("answer", newest.revision, facts, (model_node(version, home),))
    plan = ServingPlan.from_json((Path(version.uri) / "plan.json").read_bytes())
    rows = row_nodes(newest, made, plan, loaded.project, tables_here(loaded, home), home.path / "tmp")
    return Node("answer", newest.revision, facts, (*rows, model_node(version, home)))


def _versions(loaded: Loaded, home: Home) -> list[ModelVersion]:
    if not (home.mlflow / "mlflow.db").exists():
        return []
    return list(registry(home).versions(loaded.project.name))
