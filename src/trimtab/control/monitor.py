"""One monitor, reconciled: is the stable revision's world still the one that it was trained on?

Performance is judged on skill when a block of labels is mature; drift when a window has closed. Promotion closes
the episodes and moves the reference, since then another profile counts.
"""

from datetime import datetime, timedelta
from typing import Final

from trimtab.api.conditions import Condition
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.monitor import DriftedColumn, Episode, Monitor, MonitorStatus, SkillSeen
from trimtab.api.rollout_status import KEPT, RevisionRef
from trimtab.control.coverage import Coverage
from trimtab.control.memory import Memory
from trimtab.control.monitor_conditions import monitor_conditions
from trimtab.control.target import GRACE, Target
from trimtab.drift import Override, Profile, Settings, Trip, Verdict, Watch, judge
from trimtab.ports.evidence import Evidence
from trimtab.ports.gateway import Gateway
from trimtab.ports.profiles import Profiles
from trimtab.ports.state import Event, State
from trimtab.quality.skill import SkillReference
from trimtab.sequential import Bounds
from trimtab.sequential.against_reference import bounds_above
from trimtab.sequential.t_mixture import Blocks

KIND: Final = "DriftMonitor"
WORST: Final = 10
DAY_S: Final = 86_400
REFERENCE_DAYS: Final = 2
"""Fewer give no standard error to measure a drop against."""


class ReconcileMonitor:
    """The reconcile of one monitor over its ports."""

    def __init__(
        self,
        spec: Monitor,
        target: Target,
        *,
        state: State,
        evidence: Evidence,
        gateway: Gateway,
        profiles: Profiles,
        name: str = "",
    ) -> None:
        """`name`: of the monitor, where it is not its rollout's."""
        self._spec, self._target, self._evidence, self._profiles = spec, target, evidence, profiles
        self._memory = Memory(state, KIND, name or target.name, MonitorStatus)
        self._coverage = Coverage(gateway, evidence, target.host)
        self._settings = settings_of(spec)
        self._profile: tuple[str, Profile] | None = None
        self.coverage: float | None = None

    @property
    def status(self) -> MonitorStatus:
        return self._memory.load() or MonitorStatus()

    def conditions(self, *, idle: str = "", trouble: str = "", collector: str = "") -> tuple[Condition, ...]:
        """What a person should know at a glance, as of the last look.

        Args:
            idle: why there is nothing to watch; "" if there is.
            trouble: what could not be reached or read; "" if nothing.
            collector: why the collector does not answer; "" if it does.
        """
        return monitor_conditions(
            self._spec,
            self.status,
            self.coverage,
            idle=idle,
            trouble=trouble,
            loaded=self._profile is not None,
            collector=collector,
        )

    def tick(self, stable: RevisionRef | None, now: datetime) -> str:
        """Judge what has closed; returns what could not be reached or read, "" if nothing.

        Args:
            stable: the revision that serves; None before the first.
        """
        if stable is None:
            return ""
        was = self.status
        status, events = self._watch(was, stable, now)
        trouble, hindrances = "", dict[str, str]()
        try:
            if because := self._unjudged(stable):
                hindrances["Performance"] = because
            self._coverage.begin(stable.revision)
            status, more = self._performance(status, stable, now)
            events += more
            status, more = self._drift(status, stable, now)
            events += more
        except (SurroundingsFailed, InputRefused) as error:
            trouble = error.message
        if trouble:
            hindrances["Ready"] = trouble
        if status.hindrances != hindrances:
            status = status.model_copy(update={"hindrances": hindrances})
        if status != was or events:
            self._memory.save(status, events)
        return trouble

    def wake(self, now: datetime) -> datetime:
        """When the next block is mature or the next window closes."""
        times = [self._target.next_mature(now)]
        if (end := self.status.window_end) is not None and self._profile is not None:
            times.append(end + self._length(self._profile[1]) + GRACE)
        return min(times)

    def _watch(
        self, status: MonitorStatus, stable: RevisionRef, now: datetime
    ) -> tuple[MonitorStatus, list[Event]]:
        """Another revision became stable: episodes close, and evidence starts from nothing.

        So it does for a status of which somebody took a part away, or whose times lie ahead since the clock was set
        back; its episodes stay as they are.
        """
        whole = None not in (status.since, status.window_end) and not self._ahead(status, now)
        if status.revision == stable.revision and whole:
            return status, []
        closed, events = [], []
        for episode in status.episodes:
            if episode.closed_at is None and episode.revision != stable.revision:
                episode = episode.model_copy(update={"closed_at": now})
                because = f"{stable.revision} became stable"
                events.append(
                    Event(now, KIND, "EpisodeClosed", episode.revision, because, {"id": episode.id})
                )
            closed.append(episode)
        start = self._target.block_start(now)
        return (
            MonitorStatus(
                revision=stable.revision,
                since=now,
                # The first window begins with the next block, when all traffic is the new revision's.
                window_end=now if start == now else self._target.block_end(start),
                episodes=tuple(closed),
            ),
            events,
        )

    def _ahead(self, status: MonitorStatus, now: datetime) -> bool:
        """Whether it would wait for a time that was none: windows begin with the next block at the latest, and one
        that was judged is not judged again for a clock that was set back by less than a day."""
        assert status.since is not None
        assert status.window_end is not None
        next_begins = self._target.block_end(self._target.block_start(now))
        return status.since > now or status.window_end > next_begins + timedelta(seconds=DAY_S)

    def _unjudged(self, stable: RevisionRef) -> str:
        """Why performance is not judged; "" where it is, or is not wished for."""
        days = len(self._read(stable).reference_skills)
        if self._spec.performance is None or days >= REFERENCE_DAYS:
            return ""
        return (
            f"performance is not judged: the profile of version {stable.version} holds {days} days of skill, and "
            f"{REFERENCE_DAYS} are needed: a yes-or-no label, examples.time and weeks of labelled rows give them"
        )

    def _performance(
        self, status: MonitorStatus, stable: RevisionRef, now: datetime
    ) -> tuple[MonitorStatus, list[Event]]:
        performance, mature = self._spec.performance, self._target.mature(now)
        assert status.since is not None
        if performance is None or status.skill.through == mature or mature <= status.since:
            return status, []
        profile = self._read(stable)
        if len(profile.reference_skills) < REFERENCE_DAYS:
            skill = SkillSeen(through=mature)
            return status.model_copy(update={"skill": skill}), []
        scored = self._evidence.scored(stable.revision, status.since, now, self._target.cut, now)
        blocks = Blocks.of((block.skill, block.skill_rows) for block in scored)
        reference = SkillReference.of(profile.reference_skills)
        alpha = float(performance.alpha)
        bounds = bounds_above(blocks, reference.mean, reference.standard_error, alpha, alpha).tighten(
            _held(status.skill)
        )
        allowed = float(performance.max_drop)
        skill = SkillSeen(
            blocks=blocks.n,
            rows=int(blocks.rows),
            drop=blocks.mean - reference.mean if blocks.n else None,
            lower=bounds.lower if bounds.lower > float("-inf") else None,
            upper=bounds.upper if bounds.upper < float("inf") else None,
            tripped=bounds.lower > allowed,
            through=mature,
        )
        status = status.model_copy(update={"skill": skill})
        if not skill.tripped or status.open_episode("performance"):
            return status, []
        because = (
            f"skill fell by {skill.drop:.3f} nats a row, {skill.lower:.3f} at least, over {skill.blocks} days"
        )
        numbers: dict[str, float | str | None] = {
            "drop": skill.drop,
            "lower": skill.lower,
            "upper": skill.upper,
            "blocks": skill.blocks,
            "reference": reference.mean,
            "reference_error": reference.standard_error,
        }
        return self._open(status, "performance", because, numbers, now)

    def _drift(
        self, status: MonitorStatus, stable: RevisionRef, now: datetime
    ) -> tuple[MonitorStatus, list[Event]]:
        """Every window that has closed since the last look, in order."""
        profile = self._read(stable)
        length, events = self._length(profile), list[Event]()
        while (start := status.window_end) is not None and now >= (end := start + length) + GRACE:
            sketches = self._evidence.sketches(stable.revision, start, end)
            self.coverage = self._coverage.share()
            verdict = judge(profile, sketches, self._settings, int(length.total_seconds()), self.coverage)
            open_ = status.open_episode("drift")
            watch = Watch(status.tripped, start, open_.opened_at if open_ else None).seen(
                start, end, verdict.tripped, self._settings.trip
            )
            tripped = (
                status.tripped if verdict.tripped is None else (*status.tripped, verdict.tripped)[-KEPT:]
            )
            status = status.model_copy(
                update={
                    "window_end": end,
                    "rows": verdict.rows,
                    "tripped": tripped,
                    "worst": _worst(verdict),
                }
            )
            share = verdict.drifted_share
            numbers: dict[str, float | str | None] = {"rows": verdict.rows, "drifted_share": share}
            numbers |= {column.column: column.value for column in verdict.columns[:WORST]}
            numbers |= {"start": start.isoformat(), "end": end.isoformat()}
            because = f"{start:%Y-%m-%d} to {end:%Y-%m-%d}: {verdict.because}"
            events.append(Event(now, KIND, "WindowJudged", stable.revision, because, numbers))
            if watch.open and open_ is None:
                status, more = self._open(status, "drift", because, numbers, now)
                events += more
        return status, events

    def _open(
        self,
        status: MonitorStatus,
        cause: str,
        because: str,
        numbers: dict[str, float | str | None],
        now: datetime,
    ) -> tuple[MonitorStatus, list[Event]]:
        assert status.revision is not None
        episode = Episode.model_validate(
            {
                "id": f"{cause}-{status.revision}-{now:%Y%m%d%H%M%S}",
                "cause": cause,
                "openedAt": now,
                "revision": status.revision,
                "because": because,
            }
        )
        status = status.model_copy(update={"episodes": (*status.episodes, episode)[-KEPT:]})
        kind = "PerformanceDropped" if cause == "performance" else "Drifted"
        return status, [Event(now, KIND, kind, episode.revision, because, {**numbers, "episode": episode.id})]

    def _read(self, stable: RevisionRef) -> Profile:
        if self._profile is None or self._profile[0] != stable.revision:
            self._profile = stable.revision, Profile.from_bytes(self._profiles.profile(stable.uri))
        return self._profile[1]

    def _length(self, profile: Profile) -> timedelta:
        """As the spec says, else as the reference was large enough for."""
        return self._spec.window.length or timedelta(seconds=profile.window_s or 7 * DAY_S)


def settings_of(spec: Monitor) -> Settings:
    """The plain form that trimtab.drift takes."""
    return Settings(
        number=spec.measures.number,
        category=spec.measures.category,
        overrides=tuple(
            Override(o.match, o.measure, None if o.threshold is None else float(o.threshold), o.ignore)
            for o in spec.overrides
        ),
        trip=Trip(spec.trip.windows, spec.trip.of, float(spec.trip.drifted_share)),
        min_rows=spec.window.min_rows,
        min_coverage=float(spec.min_coverage),
        episodes=spec.false_alarms.at_most,
        per_s=int(spec.false_alarms.per.total_seconds()),
    )


def _held(skill: SkillSeen) -> Bounds:
    return Bounds(
        float("-inf") if skill.lower is None else skill.lower,
        float("inf") if skill.upper is None else skill.upper,
    )


def _worst(verdict: Verdict) -> tuple[DriftedColumn, ...]:
    return tuple(
        DriftedColumn(
            column=seen.column,
            measure=seen.measure,
            value=seen.value,
            threshold=seen.threshold,
            drifted=bool(seen.drifted) and seen.counted,
            seasonal=seen.seasonal is not None,
            note=seen.seasonal or seen.note,
        )
        for seen in verdict.columns[:WORST]
    )
