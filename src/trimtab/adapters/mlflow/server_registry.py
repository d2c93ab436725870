"""The model registry behind an MLflow server, read and written over its REST API."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.mlflow.registry import DIGEST, MAX_TAG
from trimtab.adapters.mlflow.server import Exists, Missing, MlflowServer
from trimtab.ports.registry import ModelVersion

PAGE: Final = 1000
FOLDER: Final = "model"
"""Where a run keeps the small files of its model folder."""


class MlflowServerRegistry:
    """`trimtab.ports.registry.Registry`, over a server.

    Args:
        beside: small files to keep with a version that is registered, for whoever watches it.
    """

    def __init__(self, server: MlflowServer, beside: Sequence[Path] = ()) -> None:
        self._server, self._beside = server, beside

    def register(self, name: str, uri: str, digest: str, tags: Mapping[str, str]) -> ModelVersion:
        """A version that can be seen has its files: they are uploaded first, under a run of its own."""
        for held in self.versions(name):
            if held.digest == digest:
                return held
        with suppress(Exists):
            self._server.tell("registered-models/create", {"name": name})
        run = self._run_with(name, digest) if self._beside else ""
        written = {key: value[:MAX_TAG] for key, value in tags.items()} | {DIGEST: digest}
        body = {"name": name, "source": uri, "run_id": run, "tags": pairs(written)}
        return version_of(self._server.tell("model-versions/create", body)["model_version"])

    def version(self, name: str, version: str) -> ModelVersion | None:
        try:
            return version_of(
                self._server.ask("model-versions/get", name=name, version=version)["model_version"]
            )
        except Missing:
            return None

    def versions(self, name: str) -> Sequence[ModelVersion]:
        return [version_of(one) for one in versions_of(self._server, name)]

    def alias(self, name: str, alias: str) -> ModelVersion | None:
        try:
            return version_of(
                self._server.ask("registered-models/alias", name=name, alias=alias)["model_version"]
            )
        except Missing:
            return None

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self._server.tell("registered-models/alias", {"name": name, "alias": alias, "version": version})

    def tag(self, name: str, version: str, key: str, value: str) -> None:
        body = {"name": name, "version": version, "key": key, "value": value[:MAX_TAG]}
        self._server.tell("model-versions/set-tag", body)

    def untag(self, name: str, version: str, key: str) -> None:
        with suppress(Missing):
            body = {"name": name, "version": version, "key": key}
            self._server.tell("model-versions/delete-tag", body, method="DELETE")

    def _run_with(self, name: str, digest: str) -> str:
        """A run of the model's experiment that holds the files beside it; the upload is mlflow's own, for any store."""
        from trimtab.adapters.mlflow.client import client, failures

        mlflow = client(self._server.uri)
        with failures(self._server.uri):
            experiment = mlflow.get_experiment_by_name(name)
            held = experiment.experiment_id if experiment else mlflow.create_experiment(name)
            run = mlflow.create_run(held, run_name=f"model {digest[:12]}", tags={DIGEST: digest}).info.run_id
            for file in self._beside:
                mlflow.log_artifact(run, str(file), FOLDER)
            mlflow.set_terminated(run)
        return str(run)


def versions_of(server: MlflowServer, name: str) -> list[dict[str, Any]]:
    """Every version of a model as the server tells it, the oldest first."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        part = server.ask(
            "model-versions/search", filter=f"name='{name}'", max_results=PAGE, page_token=token
        )
        found += part.get("model_versions", [])
        token = part.get("next_page_token", "")
        if not token:
            return sorted(found, key=lambda one: int(one["version"]))


def version_of(told: Mapping[str, Any]) -> ModelVersion:
    tags = {tag["key"]: tag.get("value", "") for tag in told.get("tags", [])}
    return ModelVersion(
        told["name"], str(told["version"]), told.get("source", ""), tags.get(DIGEST, ""), tags
    )


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
