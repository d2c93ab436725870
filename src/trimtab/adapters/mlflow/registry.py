"""MLflow's model registry. A version's source is the model folder's address; its digest stands in a tag."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trimtab.adapters.mlflow.client import client, failures
from trimtab.ports.registry import ModelVersion

DIGEST: Final = "trimtab.digest"
MAX_TAG: Final = 4_000


class MlflowRegistry:
    """`trimtab.ports.registry.Registry`.

    Args:
        uri: MLflow's registry address.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def register(self, name: str, uri: str, digest: str, tags: Mapping[str, str]) -> ModelVersion:
        for held in self.versions(name):
            if held.digest == digest:
                return held
        mlflow = client(self._uri)
        with failures(self._uri):
            if not mlflow.search_registered_models(f"name = '{name}'", max_results=1):
                mlflow.create_registered_model(name)
            written = {key: value[:MAX_TAG] for key, value in tags.items()} | {DIGEST: digest}
            return _version(mlflow.create_model_version(name, source=uri, tags=written))

    def version(self, name: str, version: str) -> ModelVersion | None:
        return next((held for held in self.versions(name) if held.version == version), None)

    def versions(self, name: str) -> Sequence[ModelVersion]:
        mlflow = client(self._uri)
        with failures(self._uri):
            found: list[Any] = []
            page = None
            while True:
                part = mlflow.search_model_versions(f"name = '{name}'", max_results=1000, page_token=page)
                found += part
                page = part.token
                if not page:
                    return sorted((_version(one) for one in found), key=lambda one: int(one.version))

    def alias(self, name: str, alias: str) -> ModelVersion | None:
        mlflow = client(self._uri)
        with failures(self._uri):
            models = mlflow.search_registered_models(f"name = '{name}'", max_results=1)
        number = models[0].aliases.get(alias) if models else None
        return None if number is None else self.version(name, str(number))

    def set_alias(self, name: str, alias: str, version: str) -> None:
        mlflow = client(self._uri)
        with failures(self._uri):
            mlflow.set_registered_model_alias(name, alias, version)

    def tag(self, name: str, version: str, key: str, value: str) -> None:
        mlflow = client(self._uri)
        with failures(self._uri):
            mlflow.set_model_version_tag(name, version, key, value[:MAX_TAG])

    def untag(self, name: str, version: str, key: str) -> None:
        mlflow = client(self._uri)
        held = self.version(name, version)
        with failures(self._uri):
            if held is not None and key in held.tags:
                mlflow.delete_model_version_tag(name, version, key)

    def run_tags(self, run: str) -> Mapping[str, str]:
        """What a run noted of itself."""
        mlflow = client(self._uri)
        with failures(self._uri):
            return {key: str(value) for key, value in mlflow.get_run(run).data.tags.items()}


def _version(held: Any) -> ModelVersion:
    tags = dict(held.tags or {})
    return ModelVersion(held.name, str(held.version), held.source, tags.get(DIGEST, ""), tags)
