"""The model registry: versions of one registered model, their tags, one alias `candidate`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version as registered.

    Attributes:
        uri: address of the model folder (write-once, named by its digest).
        digest: sha256 of the folder's manifest, hex.
        tags: free text by key; `trimtab.rejected.<rollout>` holds why a rollout refused it.
    """

    name: str
    version: str
    uri: str
    digest: str
    tags: Mapping[str, str] = field(default_factory=dict)


class Registry(Protocol):
    def register(self, name: str, uri: str, digest: str, tags: Mapping[str, str]) -> ModelVersion:
        """A new version, or the one that already has this digest."""

    def version(self, name: str, version: str) -> ModelVersion | None: ...

    def versions(self, name: str) -> Sequence[ModelVersion]: ...

    def alias(self, name: str, alias: str) -> ModelVersion | None: ...

    def set_alias(self, name: str, alias: str, version: str) -> None: ...

    def tag(self, name: str, version: str, key: str, value: str) -> None: ...

    def untag(self, name: str, version: str, key: str) -> None: ...
