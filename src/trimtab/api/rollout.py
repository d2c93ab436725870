"""A rollout: the steps by which a revision earns its traffic, and the checks that it must pass.

The `rollout:` of trimtab.yaml is a `Rollout`; the ModelRollout resource splits the same fields over `strategy`
and `checks`. What each statistic means is in verdicts.md: Pass and Fail are two tests, "no data" is Inconclusive.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from trimtab.api.values import Alpha, Bound, Duration, FileBound, MetricName, Name, Number, Percent, Spec

DAY: Final = timedelta(days=1)
LABELLED: Final = ("log_loss",)
TESTED: Final = (*LABELLED, "error_rate", "latency_p50", "latency_p90", "latency_p95", "latency_p99")
METRICS: Final = (*TESTED, "disagreement")
ALPHA: Final = Decimal("0.05")
TAKEN: Final = ("host", "cookie", "content-type", "x-trimtab-draw")
"""Headers that gateways and we ourselves route by."""

Token = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_]*$", min_length=1, max_length=64, strict=True)
]
"""The name of a header or a cookie."""


class Require(StrEnum):
    """What a step needs of a check before it goes on."""

    PASS = "Pass"
    NOT_FAILED = "NotFailed"


class OnInconclusive(StrEnum):
    """What follows when a step's time is over and the evidence decides nothing."""

    PAUSE = "Pause"
    ROLLBACK = "Rollback"
    ADVANCE = "Advance"


class OnNewCandidate(StrEnum):
    """What a newer candidate does to the one in flight."""

    QUEUE = "Queue"
    SUPERSEDE = "Supersede"


class Until(Spec):
    """How long a step lasts. Durations run on the loop's clock.

    Attributes:
        min_duration: not before, whatever the checks say: it secures a full cycle, not validity.
        max_duration: then `onInconclusive`.
        min_blocks: closed, mature blocks that each labelled check must hold; default the first number at which
            its interval is finite.
        min_samples: requests to the candidate.
    """

    min_duration: Duration = timedelta()
    max_duration: Duration | None = None
    min_blocks: Annotated[int, Field(ge=1, le=1000)] | None = None
    min_samples: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_duration is not None and self.max_duration < self.min_duration:
            raise ValueError("maxDuration is shorter than minDuration")
        return self


class Shadow(Spec):
    """Copies of requests go to the candidate; nobody sees its answers."""

    percent: Annotated[Percent, Field(ge=1)] = 100


class Canary(Spec):
    """A share of requests is answered by the candidate."""

    percent: Annotated[Percent, Field(ge=1, le=99)]


class Preview(Spec):
    """Nobody's traffic: the candidate alone answers a host of its own, so that people can try it before the switch.

    Attributes:
        hostname: the second host; not one of the model's own.
    """

    hostname: Annotated[
        str,
        StringConstraints(
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
            min_length=1,
            max_length=253,
            strict=True,
        ),
    ]


class Exact(Spec):
    """Requests that carry a header, or a cookie, of exactly this value.

    Attributes:
        name: of the header, in any case; of the cookie, as written.
        value: as written.
    """

    name: Token
    value: Annotated[
        str, StringConstraints(pattern=r"^[-A-Za-z0-9_.~%+/=:@]+$", min_length=1, max_length=256, strict=True)
    ]


class Hashed(Spec):
    """A share of the callers: each is drawn once, by a hash of what names him, and stays where he was drawn to.

    Attributes:
        header: what names a caller; or
        cookie: likewise; exactly one of the two.
        percent: of the callers; those without a name are drawn anew at each request.
    """

    header: Token | None = None
    cookie: Token | None = None
    percent: Annotated[Percent, Field(ge=1, le=99)]

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.header is None) == (self.cookie is None):
            raise ValueError("a hash is of exactly one of header and cookie")
        return self


class Audience(Spec):
    """Some callers are answered by the candidate alone, all others by stable; exactly one of the three.

    A header works on every gateway; cookie and hash only where the gateway can (condition AudienceSupported).

    Attributes:
        header: those who send it.
        cookie: those who send it.
        hash: a share of all, of whom each stays where he is.
    """

    header: Exact | None = None
    cookie: Exact | None = None
    hash: Hashed | None = None

    @property
    def way(self) -> Literal["header", "cookie", "hash"]:
        """By what callers are told apart."""
        return "header" if self.header else "cookie" if self.cookie else "hash"

    @property
    def text(self) -> str:
        """For a person.

        >>> Audience(header=Exact(name="x-cohort", value="beta")).text
        'header x-cohort: beta'
        """
        if self.header:
            return f"header {self.header.name}: {self.header.value}"
        if self.cookie:
            return f"cookie {self.cookie.name}={self.cookie.value}"
        assert self.hash is not None
        by = f"header {self.hash.header}" if self.hash.header else f"cookie {self.hash.cookie}"
        return f"{self.hash.percent} % by hash of {by}"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.header, self.cookie, self.hash)) != 1:
            raise ValueError("an audience needs exactly one of header, cookie, hash")
        if self.header and self.header.name.lower() in TAKEN:
            raise ValueError(f"header '{self.header.name}' is not the caller's to say; take another")
        return self


class Approval(Spec):
    """Stands until a person approves this revision at this step."""


class Hold(Spec):
    """Keeps the traffic of the step before for `until.minDuration`, under watch."""


class Step(Spec):
    """One stage of a rollout; exactly one of shadow, canary, preview, audience, approval, hold."""

    name: Name
    shadow: Shadow | None = None
    canary: Canary | None = None
    preview: Preview | None = None
    audience: Audience | None = None
    approval: Approval | None = None
    hold: Hold | None = None
    until: Until = Until()

    @property
    def moves(self) -> bool:
        """Whether it leads requests of its own to the candidate; approval and hold keep what is."""
        return not (self.approval or self.hold)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.shadow, self.canary, self.preview, self.audience, self.approval, self.hold)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError(
                f"step '{self.name}' needs exactly one of shadow, canary, preview, audience, approval, hold"
            )
        if self.approval and self.until != Until():
            raise ValueError(
                f"step '{self.name}': an approval stands until a person gives it; leave out `until`"
            )
        if self.hold and not self.until.min_duration:
            raise ValueError(f"step '{self.name}': a hold needs until.minDuration")
        return self


class Alphas(Spec):
    """Error rates of a check's two tests; None where not stated.

    Attributes:
        fail: greatest probability to fail a candidate that is no worse. Default: its share of 0.05 over the
            checks that state none.
        pass_: greatest probability to pass one that is worse by the margin or more. Default 0.05: a pass needs
            all required checks, so nothing is shared.
    """

    fail: Alpha | None = None
    pass_: Annotated[Alpha | None, Field(alias="pass")] = None


def _block(value: object) -> object:
    """`1d` and `1h` are written so; `request` counts requests."""
    if value == "row":
        raise ValueError("rows of one request are not independent; write request, 1h or 1d")
    return value


Block = Annotated[Literal["1d", "1h", "request"], BeforeValidator(_block)]


class Prometheus(Spec):
    """A question to a metrics server.

    Attributes:
        provider_ref: name of a server in the operator's configuration.
        query: PromQL that gives one number; $candidate and $stable stand for the revisions.
    """

    provider_ref: Name
    query: Annotated[str, Field(min_length=1, max_length=2048)]


class Check(Spec):
    """One question about the candidate, asked at every step named in `steps` (default: wherever it can be asked).

    One of the bounds is given: `noWorseThanStableBy` (> 0), `betterThanStableBy` (≥ 0), `atMost` or `atLeast`.

    Attributes:
        metric: what is asked of collector and gateway; or
        prometheus: what is asked of a metrics server. No test stands behind it, so it carries no error rate.
        consecutive_failures: answers out of bounds in a row, a minute apart, that make such a check fail.
    """

    name: Name
    metric: MetricName | None = None
    prometheus: Prometheus | None = None
    consecutive_failures: Annotated[int, Field(ge=1, le=20)] = 1
    no_worse_than_stable_by: FileBound | None = None
    better_than_stable_by: FileBound | None = None
    at_most: Number | None = None
    at_least: Number | None = None
    alpha: Alphas = Alphas()
    block: Block | None = None
    steps: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    require: Require = Require.PASS

    @property
    def asks(self) -> str:
        """What it asks, in a word."""
        return self.metric or "prometheus"

    @property
    def labelled(self) -> bool:
        """Whether it waits for labels; such a check is judged in blocks of time."""
        return self.metric in LABELLED

    @property
    def tested(self) -> bool:
        """Whether a test with an error rate stands behind it."""
        return self.metric in TESTED

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.metric is None) == (self.prometheus is None):
            raise ValueError(f"check '{self.name}' needs exactly one of metric and prometheus")
        if self.metric is not None and self.metric not in METRICS:
            raise ValueError(f"metric '{self.metric}' is not known; known are {', '.join(METRICS)}")
        bounds = [self.no_worse_than_stable_by, self.better_than_stable_by, self.at_most, self.at_least]
        if sum(bound is not None for bound in bounds) != 1:
            raise ValueError(
                f"check '{self.name}' needs exactly one of noWorseThanStableBy, betterThanStableBy, atMost, atLeast"
            )
        margin = self.no_worse_than_stable_by
        if margin is not None and margin.around(1) <= 0:
            raise ValueError(
                f"check '{self.name}': noWorseThanStableBy must be above 0, since two equal models never pass 0; "
                "for superiority write betterThanStableBy"
            )
        if self.better_than_stable_by is not None and self.better_than_stable_by.around(1) < 0:
            raise ValueError(f"check '{self.name}': betterThanStableBy is 0 or more")
        return self._of_its_kind()

    def _of_its_kind(self) -> Self:
        if self.metric is None:
            return self._asks_a_server()
        if self.consecutive_failures != 1:
            raise ValueError(
                f"check '{self.name}': consecutiveFailures is for prometheus; {self.metric} has a test"
            )
        relative = self.no_worse_than_stable_by or self.better_than_stable_by
        if self.labelled:
            if self.block == "request":
                raise ValueError(
                    f"check '{self.name}': labels come in correlated rows; its block is 1h or 1d"
                )
            if relative is None or relative.absolute is None:
                raise ValueError(f"check '{self.name}': {self.metric} takes an absolute bound beside stable")
        elif self.metric == "error_rate":
            if relative is None or relative.absolute is None:
                raise ValueError(f"check '{self.name}': error_rate takes an absolute bound beside stable")
        elif self.metric.startswith("latency_"):
            if self.no_worse_than_stable_by is None or self.no_worse_than_stable_by.percent is None:
                raise ValueError(f"check '{self.name}': {self.metric} takes noWorseThanStableBy in percent")
        elif self.at_most is None or self.require is Require.PASS:
            raise ValueError(
                f"check '{self.name}': disagreement is a sanity check: atMost with require: NotFailed"
            )
        if not self.labelled and self.block in ("1d", "1h"):
            raise ValueError(f"check '{self.name}': {self.metric} is counted by request")
        return self

    def _asks_a_server(self) -> Self:
        if self.at_most is None and self.at_least is None:
            raise ValueError(f"check '{self.name}': a prometheus check takes atMost or atLeast")
        if self.alpha != Alphas() or self.block is not None:
            raise ValueError(
                f"check '{self.name}': no test stands behind a prometheus check: leave out alpha and block"
            )
        return self


class WarmUp(Spec):
    """Requests sent past the gateway to a ready candidate before it gets traffic."""

    requests: Annotated[int, Field(ge=0, le=10_000)] = 50
    timeout: Duration = timedelta(minutes=5)


class Capacity(Spec):
    """How many servers stand ready, where there can be more than one of a revision.

    Attributes:
        candidate: MatchTraffic keeps as many candidate servers as its share of stable's ready ones, before the
            share is raised; AsRendered leaves their number to the template.
        freeze_stable: stable keeps at least the servers that it had at the start until `keepPrevious` is over, so
            that going back needs no scaling.
    """

    candidate: Literal["MatchTraffic", "AsRendered"] = "MatchTraffic"
    freeze_stable: bool = True


class Strategy(Spec):
    """How a candidate proceeds. The defaults suit a model whose labels come within days."""

    capacity: Capacity = Capacity()
    warm_up: WarmUp = WarmUp()
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)] = (
        Step(name="shadow", shadow=Shadow(), until=Until(min_duration=7 * DAY, max_duration=28 * DAY)),
        Step(name="first", canary=Canary(percent=20), until=Until(min_duration=DAY, max_duration=7 * DAY)),
        Step(name="half", canary=Canary(percent=50), until=Until(min_duration=DAY, max_duration=7 * DAY)),
    )
    on_inconclusive: OnInconclusive = OnInconclusive.PAUSE
    on_new_candidate: OnNewCandidate = OnNewCandidate.QUEUE
    keep_previous: Duration = timedelta(hours=1)

    @model_validator(mode="after")
    def _unique_steps(self) -> Self:
        if name := _twice([step.name for step in self.steps]):
            raise ValueError(f"two steps are named '{name}'")
        if self.steps[0].hold:
            raise ValueError(
                f"step '{self.steps[0].name}': a hold keeps the traffic of the step before; none is"
            )
        return self


class Rollout(Strategy):
    """The `rollout:` of a project: strategy and checks side by side."""

    checks: Annotated[tuple[Check, ...], Field(max_length=20)] = (
        Check(
            name="loss",
            metric="log_loss",
            no_worse_than_stable_by=Bound(absolute=Decimal("0.02")),
            steps=("shadow",),
        ),
        Check(name="errors", metric="error_rate", no_worse_than_stable_by=Bound(absolute=Decimal("0.02"))),
        Check(
            name="latency",
            metric="latency_p95",
            no_worse_than_stable_by=Bound(percent=Decimal(20)),
            require=Require.NOT_FAILED,
        ),
        Check(name="sane", metric="disagreement", at_most=Decimal("0.5"), require=Require.NOT_FAILED),
    )

    @model_validator(mode="after")
    def _checks_fit_steps(self) -> Self:
        if name := _twice([check.name for check in self.checks]):
            raise ValueError(f"two checks are named '{name}'")
        steps = {step.name: step for step in self.steps}
        for check in self.checks:
            for name in check.steps:
                if name not in steps:
                    raise ValueError(f"check '{check.name}' names step '{name}', which is not there")
                if not asks_at(check, steps[name], named=True):
                    raise ValueError(f"check '{check.name}': {check.asks} cannot be asked at step '{name}'")
        return self

    def traffic_step(self, name: str) -> Step | None:
        """The step whose traffic flows at step `name`: itself, or, for approval and hold, the last that moved any.

        None for an approval before the first step that moves any, and for a name that is not there.
        """
        moved = None
        for step in self.steps:
            if step.moves:
                moved = step
            if step.name == name:
                return moved
        return None

    def checks_at(self, step: Step) -> tuple[Check, ...]:
        """The checks that are asked at a step that moves traffic, in the order of the file."""
        return tuple(
            check
            for check in self.checks
            if (step.name in check.steps if check.steps else asks_at(check, step, named=False))
        )

    def alphas(self, check: Check) -> tuple[float, float]:
        """(fail, pass) of a check: as stated; unstated, the share of 0.05 for fail, and 0.05 for pass."""
        sharing = sum(1 for other in self.checks if other.tested and other.alpha.fail is None)
        fail = float(check.alpha.fail) if check.alpha.fail is not None else float(ALPHA) / max(1, sharing)
        return fail, float(check.alpha.pass_ if check.alpha.pass_ is not None else ALPHA)


def asks_at(check: Check, step: Step, *, named: bool) -> bool:
    """Whether a check can be asked at a step: labels and agreement need pairs, so a shadow; the rest needs traffic.

    Unless it is named there, what a person would feel is asked only where persons are served: in canaries. Callers
    who were chosen, or chose themselves, are no sample of all: there, and in a preview, no test is valid.
    """
    if check.labelled or check.metric == "disagreement":
        return step.shadow is not None
    if check.prometheus is not None:
        return bool(step.shadow or step.canary or step.audience) or (named and step.preview is not None)
    return step.canary is not None or (named and step.shadow is not None)


def _twice(names: Sequence[str]) -> str | None:
    return next((name for i, name in enumerate(names) if name in names[:i]), None)
