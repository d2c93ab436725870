"""Two real model folders over two months of real flights, as the pipeline's own steps write them."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.learning_workshop import FEATURES, Workshop, flights_workshop

ITERATIONS = {"v1": 6, "v2": 24}
"""Boosting steps: the second learned more from the same flights."""


@dataclass(frozen=True, slots=True)
class Models:
    """What was exported.

    Attributes:
        folder: holds a model folder for each version, `v1` and `v2`, with profile.json and samples.json.
        revisions: of each version, 8 hex digits of its content's digest.
        digests: of each version, the whole digest.
        requests: a file with a JSON list of V2 request bodies, made of the samples.
    """

    folder: Path
    revisions: Mapping[str, str]
    digests: Mapping[str, str]
    requests: Path


def export_models(root: Path) -> Models:
    """Train, evaluate, refit and export both."""
    shop = flights_workshop(root / "workshop")
    featurized = shop.featurize()
    folder, revisions = root / "models", dict[str, str]()
    for version, iterations in ITERATIONS.items():
        made = _exported(shop, featurized, version, iterations)
        shutil.copytree(made, folder / version)
        revisions[version] = made.name[-8:]
    requests = root / "requests.json"
    requests.write_text(json.dumps(_requests(folder / "v1")))
    digests = {version: _digest(folder / version) for version in revisions}
    return Models(folder, revisions, digests, requests)


def _exported(shop: Workshop, featurized: Any, version: str, iterations: int) -> Path:
    from trimtab.steps.evaluate import evaluate
    from trimtab.steps.export import export
    from trimtab.steps.refit import refit
    from trimtab.steps.train import model_source, train

    params = {"max_iter": iterations, "early_stopping": False}
    project = shop.project(model={"family": "gradient_boosting", "params": params})
    source, place = model_source(project, shop.root), shop.root / version
    world = featurized.pointer, shop.engine, shop.tables
    train(project, source, *world, None, place / "trained")
    evaluate(project, place / "trained", *world, None, place / "report.html")
    refitted = refit(project, source, place / "trained", featurized.pointer, shop.tables, place / "refitted")
    transform = FEATURES.encode()
    made = export(
        project, refitted.folder, featurized.pointer, transform, shop.engine, shop.tables, place / "models"
    )
    found: Path = made.folder.path
    return found


def _digest(folder: Path) -> str:
    """As export and the model server build it: over the manifest's `name digest` lines."""
    files = json.loads((folder / "manifest.json").read_text())["files"]
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _requests(folder: Path) -> list[dict[str, Any]]:
    plan = json.loads((folder / "plan.json").read_text())
    # there is no online store on the node: the requests carry the views' columns too, as unknown
    looked_up = [column for view in plan["views"] for column in view["columns"]]
    kinds = {field["name"]: field["type"] for field in (*plan["inputs"], *looked_up)}
    return [_request(row, kinds) for row in json.loads((folder / "samples.json").read_text())]


def _request(row: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    inputs = [
        {
            "name": name,
            "shape": [1],
            "datatype": "FP64" if kind == "number" else "BOOL" if kind == "boolean" else "BYTES",
            "data": [row.get(name)],
        }
        for name, kind in kinds.items()
    ]
    return {"inputs": inputs}
