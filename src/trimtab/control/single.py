"""A registry that holds what one resource names: a model given by its address, without a registry.

The version that is wished now stands in the spec; those that were stable or rejected, their tags and the stable
alias are notes, which outlive a status. Keys: `version/<version>`, `tag/<version>/<key>`, `alias/<alias>`.
"""

import hashlib
import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Final

from trimtab.api.errors import InputRefused
from trimtab.ports.registry import ModelVersion

CANDIDATE: Final = "candidate"
KEPT: Final = 20


def digest_of_address(uri: str) -> str:
    """Stands for the digest where none is given: then the address alone tells models apart, hex."""
    return hashlib.sha256(uri.encode()).hexdigest()


class SingleVersion:
    """ports.registry.Registry over notes that somebody keeps.

    Args:
        wished: as the spec has it; where its version was another model before, it goes by version and digest.
        notes: each change is kept before it returns.
        under_way: versions that the spec named before and that are still in hand; of these nothing may be noted yet.
    """

    def __init__(
        self,
        wished: ModelVersion,
        notes: MutableMapping[str, str],
        under_way: Sequence[ModelVersion] = (),
    ) -> None:
        self._notes = notes
        self._under_way = {one.version: one for one in under_way}
        held = self._remembered(wished.name, wished.version)
        if held is not None and (held.digest, held.uri) != (wished.digest, wished.uri):
            wished = replace(wished, version=f"{wished.version}-{wished.digest[:8]}")
        self._wished = wished

    def register(self, name: str, uri: str, digest: str, tags: Mapping[str, str]) -> ModelVersion:
        """
        Raises:
            InputRefused: the spec names the model.
        """
        raise InputRefused(
            f"{name} is in no registry",
            remedy="change spec.model, or follow a registry by spec.model.registry",
        )

    def version(self, name: str, version: str) -> ModelVersion | None:
        return next((one for one in self.versions(name) if one.version == version), None)

    def versions(self, name: str) -> Sequence[ModelVersion]:
        noted = [key.removeprefix("version/") for key in self._notes if key.startswith("version/")]
        named = dict.fromkeys((*noted, *self._under_way))
        held = [self._remembered(name, version) for version in named if version != self._wished.version]
        wished = replace(self._wished, tags=self._tags(self._wished.version))
        return (*(one for one in held if one is not None), wished)

    def alias(self, name: str, alias: str) -> ModelVersion | None:
        """The wished version is the candidate; other names are notes."""
        if alias == CANDIDATE:
            return self.version(name, self._wished.version)
        named = self._notes.get(f"alias/{alias}")
        return None if named is None else self.version(name, named)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self._remember(name, version)
        self._note(f"alias/{alias}", version)

    def tag(self, name: str, version: str, key: str, value: str) -> None:
        self._remember(name, version)
        self._note(f"tag/{version}/{key}", value)

    def untag(self, name: str, version: str, key: str) -> None:
        if f"tag/{version}/{key}" in self._notes:
            del self._notes[f"tag/{version}/{key}"]

    def _remember(self, name: str, version: str) -> None:
        """Before anything is said of a version, what it is; the oldest that nobody names are forgotten."""
        found = self.version(name, version)
        if found is None:
            return
        self._note(f"version/{version}", json.dumps({"uri": found.uri, "digest": found.digest}))
        named = {value for key, value in self._notes.items() if key.startswith("alias/")}
        named |= {version, self._wished.version}
        known = [key.removeprefix("version/") for key in self._notes if key.startswith("version/")]
        for old in [one for one in known if one not in named][:-KEPT]:
            for key in [k for k in self._notes if k.startswith(f"tag/{old}/")]:
                del self._notes[key]
            del self._notes[f"version/{old}"]

    def _note(self, key: str, value: str) -> None:
        if self._notes.get(key) != value:
            self._notes[key] = value

    def _remembered(self, name: str, version: str) -> ModelVersion | None:
        """What is under way goes without notes; None too where somebody else wrote into them."""
        try:
            held = json.loads(self._notes.get(f"version/{version}", ""))
            return ModelVersion(name, version, str(held["uri"]), str(held["digest"]), self._tags(version))
        except (ValueError, TypeError, KeyError):
            one = self._under_way.get(version)
            return None if one is None else replace(one, tags=self._tags(version))

    def _tags(self, version: str) -> dict[str, str]:
        start = f"tag/{version}/"
        return {key.removeprefix(start): value for key, value in self._notes.items() if key.startswith(start)}
