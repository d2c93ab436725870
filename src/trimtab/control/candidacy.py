"""What the registry says of a rollout's revisions: who is newest, who is stable, who is barred."""

from datetime import datetime, timedelta

from trimtab.api.errors import SurroundingsFailed
from trimtab.api.rollout_status import RevisionRef
from trimtab.ports.registry import ModelVersion, Registry
from trimtab.rollout import Newest, revision_id
from trimtab.rollout.rejection import (
    rejected_key,
    rejected_value,
    retried_key,
    retried_value,
    standing,
)

CANDIDATE = "candidate"
STABLE = "stable"


class Candidacy:
    """The registry as one rollout sees it; what was read is kept for `poll_every` of the loop's clock."""

    def __init__(self, registry: Registry, model: str, rollout: str, poll_every: timedelta) -> None:
        self._registry, self._model, self._rollout = registry, model, rollout
        self._poll_every = poll_every
        self._polled: datetime | None = None
        self._newest: Newest | None = None
        self._barred: dict[str, bool] = {}

    def forget(self) -> None:
        """Ask again next time: something was registered or tagged."""
        self._polled = None
        self._barred.clear()

    def due(self, now: datetime) -> datetime:
        """When the registry is asked next."""
        return now if self._polled is None else self._polled + self._poll_every

    def current(self, now: datetime) -> bool:
        """Whether the registry's last answer still counts; False while it cannot be asked."""
        return self._polled is not None and self._polled <= now < self._polled + self._poll_every

    def newest(self, now: datetime) -> Newest | None:
        """The revision under the alias `candidate`, pinned to a version; as last known while it cannot be asked."""
        if not self.current(now):
            try:
                version = self._registry.alias(self._model, CANDIDATE)
            except SurroundingsFailed:
                return self._newest
            self._newest = self._seen(version) if version is not None else None
            self._polled = now
            self._barred.clear()
        return self._newest

    def barred(self, ref: RevisionRef) -> bool:
        """Whether a revision's version is rejected; False while the registry cannot say."""
        if ref.revision not in self._barred:
            try:
                version = self._registry.version(self._model, ref.version)
            except SurroundingsFailed:
                return False
            tags = version.tags if version is not None else {}
            self._barred[ref.revision] = standing(self._rollout, tags).rejected is not None
        return self._barred[ref.revision]

    def stable(self) -> RevisionRef | None:
        """The revision under the alias `stable`."""
        version = self._registry.alias(self._model, STABLE)
        return self._seen(version).ref if version is not None else None

    def known(self) -> list[Newest]:
        """Every version, oldest first."""
        return [self._seen(v) for v in sorted(self._registry.versions(self._model), key=_age)]

    def reject(self, ref: RevisionRef, because: str, attempt: int) -> None:
        """Bar a revision, unless it is barred already."""
        version = self._registry.version(self._model, ref.version)
        if version is None or standing(self._rollout, version.tags).rejected is None:
            self._registry.tag(
                self._model, ref.version, rejected_key(self._rollout), rejected_value(because, attempt)
            )
        self.forget()

    def lift(self, ref: RevisionRef, order: str) -> None:
        """Lift a bar by an order; a second time changes nothing."""
        version = self._registry.version(self._model, ref.version)
        held = standing(self._rollout, version.tags if version is not None else {})
        if order not in held.retried_by:
            self._registry.tag(
                self._model, ref.version, retried_key(self._rollout), retried_value(held, order)
            )
        self._registry.untag(self._model, ref.version, rejected_key(self._rollout))
        self.forget()

    def name_stable(self, ref: RevisionRef) -> None:
        self._registry.set_alias(self._model, STABLE, ref.version)

    def _seen(self, version: ModelVersion) -> Newest:
        held = standing(self._rollout, version.tags)
        ref = RevisionRef(
            revision=revision_id(version.digest, self._model),
            version=version.version,
            uri=version.uri,
            digest=version.digest,
        )
        return Newest(ref, held.rejected, held.attempt, frozenset(held.retried_by))


def _age(version: ModelVersion) -> tuple[int, str]:
    return (int(version.version) if version.version.isdigit() else 0, version.version)
