"""Carries out what a rollout decided, one act a call; each may be repeated."""

import contextlib
from datetime import datetime

from trimtab.api.rollout_status import RevisionRef
from trimtab.control.candidacy import Candidacy
from trimtab.control.target import Target
from trimtab.ports.evidence import Evidence
from trimtab.ports.gateway import Gateway, Mirrors, Split
from trimtab.ports.profiles import Profiles, Unprofiled
from trimtab.ports.servers import Revision, Servers, Warmed
from trimtab.rollout.decision import (
    Act,
    EnsureServer,
    Lift,
    NameStable,
    Probe,
    Reject,
    RetireServer,
    Route,
    Scale,
    WarmUp,
)


class Acting:
    """The world's hands, for one rollout."""

    def __init__(
        self,
        target: Target,
        gateway: Gateway,
        servers: Servers,
        evidence: Evidence,
        profiles: Profiles,
        candidacy: Candidacy,
        mirrors: Mirrors | None,
    ) -> None:
        self._target, self._gateway, self._servers = target, gateway, servers
        self._evidence, self._profiles = evidence, profiles
        self._candidacy, self._mirrors = candidacy, mirrors

    def introduce(self, ref: RevisionRef) -> None:
        """Make a revision known to the collector, if it has a profile. Raises SurroundingsFailed, InputRefused."""
        with contextlib.suppress(Unprofiled):
            self._evidence.observe(ref.revision, self._profiles.profile(ref.uri))

    def do(self, act: Act, now: datetime) -> Warmed | None:
        """Do one act; returns what a warm-up came to, None for other acts.

        Raises SurroundingsFailed, RouteRefused, InputRefused as the ports do.
        """
        match act:
            case EnsureServer(ref):
                # The collector knows the profile before the first event comes.
                self.introduce(ref)
                self._servers.ensure(
                    self._target.served, Revision(ref.revision, ref.version, ref.uri, ref.digest)
                )
            case RetireServer(revision):
                self._servers.retire(revision)
            case WarmUp(revision, requests):
                return self._servers.warm(revision, requests)
            case Scale(revision, least):
                self._servers.scale(revision, least)
            case Probe(stable, candidate):
                if self._mirrors is not None:
                    self._mirrors.probe(self._target.host, stable, candidate)
            case Route(routed):
                self._gateway.apply(
                    self._target.host,
                    Split(
                        dict(routed.weights), routed.mirror, routed.mirror_percent,
                        chosen=routed.chosen, audience=routed.audience,
                        preview=routed.preview, preview_host=routed.preview_host,
                    ),
                )  # fmt: skip
            case Reject(ref, because, attempt):
                self._candidacy.reject(ref, because, attempt)
            case Lift(ref, order):
                self._candidacy.lift(ref, order)
            case NameStable(ref):
                self._candidacy.name_stable(ref)
        return None
