"""lineage: from what a person names, a model version or a prediction, down to the sources."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import TrimtabError
from trimtab.api.provenance import Provenance
from trimtab.bootstrap.local import tables_here
from trimtab.features.plan import ServingPlan
from trimtab.local.extras import need
from trimtab.local.lineage.logged import Logged, predictions, profile_digests
from trimtab.local.lineage.model import model_node
from trimtab.local.lineage.node import Node
from trimtab.local.lineage.rows import row_nodes
from trimtab.local.versions import OwnVersions, Versions, named_version, registered
from trimtab.ports.registry import ModelVersion
from trimtab.rollout import revision_id

PLAN = "plan.json"
PROFILE = "profile.json"


def lineage(target: str, loaded: Loaded, home: Home, log: Path | None = None) -> Node:
    """The tree of a model version or of a prediction.

    Args:
        target: `NAME/VERSION`, `NAME@ALIAS`, or a prediction's id or its first characters.
        log: folder of a collector's log; None for that of `trimtab up`.

    Raises:
        InputRefused: neither a version nor a prediction, or several predictions.
        SurroundingsFailed: a model's folder, a table version or the log cannot be read, or the server not be reached.
    """
    versions = registered(loaded, home)
    if (version := named_version(target, versions)) is not None:
        return model_node(version, versions.provenance(version), home)
    need("the lineage of a prediction", "data", "collector")
    if log is None:  # a plane of this machine serves what is registered here
        versions, log = OwnVersions(loaded, home), home.collector
    found = predictions(target, log)
    by_revision: dict[str, list[Logged]] = {}
    for one in found:
        by_revision.setdefault(one.revision, []).append(one)
    served = _served(set(by_revision), profile_digests(log), versions)
    answers = tuple(
        _answer(by_revision[revision], served.get(revision, ()), versions, loaded, home)
        for revision in sorted(by_revision)
    )
    return Node("prediction", found[0].id, {"answers": len(found)}, answers)


def _served(
    revisions: set[str], profiles: Mapping[str, str], versions: Versions
) -> dict[str, tuple[ModelVersion, ...]]:
    """The versions that may have answered as each revision.

    A plane of one machine names a revision by its model. Elsewhere the name holds more than that, so the model is told
    by the profile that its collector was given: models that learned from the same rows have one alike.

    Args:
        profiles: digest of each revision's profile.json.
    """
    every = versions.all()
    own = {revision_id(one.digest, one.name): one for one in every}
    found: dict[str, tuple[ModelVersion, ...]] = {name: (own[name],) for name in revisions & own.keys()}
    if others := {revision: profiles[revision] for revision in revisions & profiles.keys() - own.keys()}:
        made = [(one, versions.provenance(one)) for one in every]
        files = [(one, held.results.files.get(PROFILE)) for one, held in made if held is not None]
        for revision, digest in others.items():
            found[revision] = tuple(one for one, profile in files if profile == digest)
    return found


def _answer(
    answers: list[Logged], served: tuple[ModelVersion, ...], versions: Versions, loaded: Loaded, home: Home
) -> Node:
    """What one revision answered, the newest of its answers, and what this was made of."""
    newest = max(answers, key=lambda one: one.at)
    facts = {
        "at": newest.at.isoformat(),
        "prediction": newest.prediction,
        "times": len(answers),
        "features": dict(newest.features),
    }
    if len(served) != 1:
        named = " or ".join(f"{one.name}/{one.version}" for one in served)
        because = (
            f"{named} was served as this revision: they have the same profile"
            if served
            else f"no version in {versions.where} was served as this revision"
        )
        return Node("answer", newest.revision, {**facts, "because": because})
    (version,) = served
    made = versions.provenance(version)
    rows = () if made is None else tuple(_rows(newest, version, made, loaded, home))
    return Node("answer", newest.revision, facts, (*rows, model_node(version, made, home)))


def _rows(
    newest: Logged, version: ModelVersion, made: Provenance, loaded: Loaded, home: Home
) -> Iterator[Node]:
    tables, plan = tables_here(loaded, home), Path(version.uri) / PLAN
    try:
        text = (
            plan.read_bytes()
            if plan.is_file()
            else tables.at(made.features.table, made.features.version).metadata["plan"]
        )
    except TrimtabError as error:
        yield Node("row", "unknown", {"because": f"the tables of this model are not here: {error.message}"})
        return
    yield from row_nodes(newest, made, ServingPlan.from_json(text), loaded.project, tables, home.path / "tmp")
