"""A registry that many runs share, and processes that are killed between any two of their calls."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trimtab.ports.registry import ModelVersion
from trimtab.steps.register import CANDIDATE


class Killed(BaseException):
    """SIGKILL, to order."""


@dataclass
class Shelf:
    """A registry that many runs share.

    Attributes:
        made: which run registered a digest first.
        candidate: (run, version) of each move of the alias.
    """

    held: dict[str, ModelVersion] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    candidate: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class OnShelf:
    """ports.registry.Registry of one run; "" for whoever only reads."""

    shelf: Shelf
    run: str = ""

    def register(self, name: str, uri: str, digest: str, tags: Mapping[str, str]) -> ModelVersion:
        with self.shelf.lock:
            made = ModelVersion(name, str(len(self.shelf.held) + 1), uri, digest, dict(tags))
            self.shelf.made.setdefault(digest, self.run)
            return self.shelf.held.setdefault(digest, made)

    def versions(self, name: str) -> Sequence[ModelVersion]:
        return list(self.shelf.held.values())

    def version(self, name: str, version: str) -> ModelVersion | None:
        return next((held for held in self.versions(name) if held.version == version), None)

    def alias(self, name: str, alias: str) -> ModelVersion | None:
        return self.version(name, self.shelf.candidate[-1][1]) if self.shelf.candidate else None

    def set_alias(self, name: str, alias: str, version: str) -> None:
        assert alias == CANDIDATE
        self.shelf.candidate.append((self.run, version))

    def tag(self, name: str, version: str, key: str, value: str) -> None: ...

    def untag(self, name: str, version: str, key: str) -> None: ...


class Mortal:
    """A port whose process is killed before or after one of its calls: when the fuse has burnt down to 0."""

    def __init__(self, port: Any, fuse: list[int]) -> None:
        self._port, self._fuse = port, fuse

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._burn()
            answer = getattr(self._port, name)(*arguments)
            self._burn()
            return answer

        return call

    def _burn(self) -> None:
        self._fuse[0] -= 1
        if self._fuse[0] == 0:
            raise Killed
