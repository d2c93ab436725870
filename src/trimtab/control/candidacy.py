"""What the registry says of a rollout's revisions: who is newest, who is stable, who is barred."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from trimtab.api.errors import SurroundingsFailed
from trimtab.api.rollout_status import RevisionRef
from trimtab.control.target import Target
from trimtab.ports.registry import ModelVersion, Registry
from trimtab.ports.servers import Revision
from trimtab.rollout import Newest, revision_id
from trimtab.rollout.rejection import (
    Standing,
    rejected_key,
    rejected_value,
    retried_key,
    retried_value,
    standing,
    without,
)

KEY: Final = "trimtab.key"
"""Tag of a version that a policy asked for, as register writes it."""


class Candidacy:
    """The registry as one rollout sees it; what was read is kept for `poll_every` of the loop's clock."""

    def __init__(self, registry: Registry, target: Target) -> None:
        self._registry, self._target = registry, target
        self._poll_every = target.poll_every
        self._polled: datetime | None = None
        self._newest: Newest | None = None
        self._barred: dict[str, bool] = {}

    def forget(self) -> None:
        """Ask again next time: something was registered or tagged."""
        self._polled = None
        self._barred.clear()

    def due(self, now: datetime) -> datetime:
        """When the registry is asked next."""
        return now if self._polled is None else min(self._polled, now) + self._poll_every

    def current(self, now: datetime) -> bool:
        """Whether the registry's last answer still counts; False while it cannot be asked."""
        return self._polled is not None and self._polled <= now < self._polled + self._poll_every

    def newest(self, now: datetime) -> Newest | None:
        """The revision under the candidate's alias, pinned to a version; as last known while it cannot be asked."""
        if not self.current(now):
            try:
                version = self._registry.alias(self._target.model, self._target.alias)
            except SurroundingsFailed:
                return self._newest
            self._newest = self._seen(version) if version is not None else None
            self._polled = now
            self._barred.clear()
        return self._newest

    def made_by(self, key: str) -> ModelVersion | None:
        """The version under the candidate's alias, if the run of this key put it there."""
        held = self._registry.alias(self._target.model, self._target.alias)
        return held if held is not None and held.tags.get(KEY) == key else None

    def barred(self, ref: RevisionRef) -> bool:
        """Whether a revision is rejected; False while the registry cannot say."""
        if ref.revision not in self._barred:
            try:
                version = self._registry.version(self._target.model, ref.version)
            except SurroundingsFailed:
                return False
            self._barred[ref.revision] = self._standing(version, ref.revision).rejected is not None
        return self._barred[ref.revision]

    def stable(self) -> RevisionRef | None:
        """The revision under the alias of the stable one."""
        version = self._registry.alias(self._target.model, self._target.stable_alias)
        if version is None:
            return None
        named = version.tags.get(_stable_key(self._target.scope))
        return _ref(version, named) if named else self._seen(version).ref

    def known(self, served: Sequence[Revision] = ()) -> list[Newest]:
        """Every version under the present template, oldest first; before them, what is served under others."""
        versions = {v.version: v for v in sorted(self._registry.versions(self._target.model), key=_age)}
        now = [self._seen(version) for version in versions.values()]
        known = {one.ref.revision for one in now}
        earlier = [
            self._of(_ref(versions[one.version], one.id), versions[one.version])
            for one in served
            if one.id not in known and one.version in versions
        ]
        return [*earlier, *now]

    def reject(self, ref: RevisionRef, because: str, attempt: int) -> None:
        """Bar a revision, unless it is barred already."""
        version = self._registry.version(self._target.model, ref.version)
        if self._standing(version, ref.revision).rejected is None:
            key = rejected_key(self._target.scope)
            held = version.tags.get(key) if version is not None else None
            text = rejected_value(because, attempt, ref.revision, held)
            self._registry.tag(self._target.model, ref.version, key, text)
        self.forget()

    def lift(self, ref: RevisionRef, order: str) -> None:
        """Lift a bar by an order; a second time changes nothing."""
        version = self._registry.version(self._target.model, ref.version)
        tags = version.tags if version is not None else {}
        retried, rejected = retried_key(self._target.scope), rejected_key(self._target.scope)
        if order not in self._standing(version, ref.revision).retried_by:
            text = retried_value(tags.get(retried), order, ref.revision)
            self._registry.tag(self._target.model, ref.version, retried, text)
        rest = without(tags.get(rejected), ref.revision)
        if rest is None:
            self._registry.untag(self._target.model, ref.version, rejected)
        else:
            self._registry.tag(self._target.model, ref.version, rejected, rest)
        self.forget()

    def name_stable(self, ref: RevisionRef) -> None:
        """Say which version is stable and, where templates make several revisions of one, which of them."""
        if self._target.template:
            self._registry.tag(self._target.model, ref.version, _stable_key(self._target.scope), ref.revision)
        self._registry.set_alias(self._target.model, self._target.stable_alias, ref.version)

    def _seen(self, version: ModelVersion) -> Newest:
        revision = revision_id(version.digest, self._target.served, self._target.template)
        return self._of(_ref(version, revision), version)

    def _of(self, ref: RevisionRef, version: ModelVersion) -> Newest:
        held = self._standing(version, ref.revision)
        return Newest(ref, held.rejected, held.attempt, frozenset(held.retried_by))

    def _standing(self, version: ModelVersion | None, revision: str) -> Standing:
        return standing(self._target.scope, version.tags if version is not None else {}, revision)


def _ref(version: ModelVersion, revision: str) -> RevisionRef:
    return RevisionRef(revision=revision, version=version.version, uri=version.uri, digest=version.digest)


def _stable_key(scope: str) -> str:
    return f"trimtab.stable.{scope}"


def _age(version: ModelVersion) -> tuple[int, str]:
    return (int(version.version) if version.version.isdigit() else 0, version.version)
