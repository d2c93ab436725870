"""What one field alone cannot say, in the API server's language (CEL). Each rule mirrors a pydantic validator.

A rule stands under the name of the model whose validator it mirrors, and of a field where it is about one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from trimtab.api.rollout import LABELLED, METRICS, TAKEN


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule.

    Attributes:
        rule: true where the object is good.
        message: what is wrong, and what to write instead.
    """

    rule: str
    message: str

    def as_schema(self) -> dict[str, Any]:
        return {"rule": self.rule, "message": self.message}


def _seconds(path: str) -> str:
    """CEL for the seconds of a duration such as 1d12h."""
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    parts = (f"int('0' + {path}.find('[0-9]+{unit}').replace('{unit}', '')) * {size}" for unit, size in units)
    return f"({' + '.join(parts)})"


def _one_of(*fields: str) -> str:
    return f"[{', '.join(f'has(self.{field})' for field in fields)}].filter(x, x).size() == 1"


def _amount(bound: str) -> str:
    return f"double(has({bound}.absolute) ? {bound}.absolute : {bound}.percent)"


def _quoted(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


_NEVER_CHANGES: Final = "self == oldSelf"
_WINDOW: Final = _seconds("self.length")
_CHECK: Final = "has(self.metric) && self.metric"
_METRIC_BOUND: Final = (
    "((has(self.noWorseThanStableBy) && has(self.noWorseThanStableBy.absolute)) || "
    "(has(self.betterThanStableBy) && has(self.betterThanStableBy.absolute)))"
)
_MONITOR: Final = (
    "(has({0}.performance) ? {0}.performance.monitorRef : has({0}.drift) ? {0}.drift.monitorRef : '')"
)
_PAIRED: Final = _quoted((*LABELLED, "disagreement"))

RULES: Final[Mapping[tuple[str, str | None], tuple[Rule, ...]]] = {
    ("Until", None): (
        Rule(f"!has(self.maxDuration) || {_seconds('self.maxDuration')} >= {_seconds('self.minDuration')}",
             "maxDuration is shorter than minDuration"),
    ),
    ("Step", None): (
        Rule(_one_of("shadow", "canary", "preview", "audience", "approval", "hold"),
             "a step needs exactly one of shadow, canary, preview, audience, approval, hold"),
        Rule(f"!has(self.approval) || ({_seconds('self.until.minDuration')} == 0 && !has(self.until.maxDuration) "
             "&& !has(self.until.minBlocks) && self.until.minSamples == 0)",
             "an approval stands until a person gives it; leave out until"),
        Rule(f"!has(self.hold) || {_seconds('self.until.minDuration')} > 0", "a hold needs until.minDuration"),
    ),
    ("Audience", None): (
        Rule(_one_of("header", "cookie", "hash"), "an audience needs exactly one of header, cookie, hash"),
        Rule(f"!has(self.header) || !(self.header.name.lowerAscii() in {_quoted(TAKEN)})",
             f"the headers {', '.join(TAKEN)} are not the caller's to say; take another"),
    ),
    ("Hashed", None): (
        Rule("has(self.header) != has(self.cookie)", "a hash is of exactly one of header and cookie"),
    ),
    ("Strategy", "steps"): (
        Rule("!has(self[0].hold)", "a hold keeps the traffic of the step before; the first step has none"),
    ),
    ("Bound", None): (Rule(_one_of("absolute", "percent"), "give either absolute or percent"),),
    ("Check", None): (
        Rule(_one_of("noWorseThanStableBy", "betterThanStableBy", "atMost", "atLeast"),
             "a check needs exactly one of noWorseThanStableBy, betterThanStableBy, atMost, atLeast"),
        Rule(f"!has(self.noWorseThanStableBy) || {_amount('self.noWorseThanStableBy')} > 0.0",
             "noWorseThanStableBy must be above 0, since two equal models never pass 0; "
             "for superiority write betterThanStableBy"),
        Rule(f"!has(self.betterThanStableBy) || {_amount('self.betterThanStableBy')} >= 0.0",
             "betterThanStableBy is 0 or more"),
        Rule(f"!({_CHECK} in {_quoted((*LABELLED, 'error_rate'))}) || {_METRIC_BOUND}",
             "log_loss and error_rate take an absolute bound beside stable"),
        Rule(f"!({_CHECK}.startsWith('latency_')) || "
             "(has(self.noWorseThanStableBy) && has(self.noWorseThanStableBy.percent))",
             "latency takes noWorseThanStableBy in percent"),
        Rule(f"!({_CHECK} == 'disagreement') || (has(self.atMost) && self.require == 'NotFailed')",
             "disagreement is a sanity check: atMost with require: NotFailed"),
        Rule(f"!({_CHECK} in {_quoted(LABELLED)}) || !has(self.block) || self.block != 'request'",
             "labels come in correlated rows; the block of log_loss is 1h or 1d"),
        Rule(f"!has(self.metric) || self.metric in {_quoted(LABELLED)} || !has(self.block) || "
             "self.block == 'request'",
             "only log_loss is judged in blocks of time; leave out block, or write request"),
        Rule("has(self.metric) != has(self.prometheus)", "a check needs exactly one of metric and prometheus"),
        Rule("!has(self.prometheus) || has(self.atMost) || has(self.atLeast)",
             "a prometheus check takes atMost or atLeast"),
        Rule("!has(self.prometheus) || (!has(self.alpha.fail) && !has(self.alpha.pass) && !has(self.block))",
             "no test stands behind a prometheus check: leave out alpha and block"),
        Rule("has(self.prometheus) || self.consecutiveFailures == 1",
             "consecutiveFailures is for prometheus; a metric has a test"),
    ),
    ("Model", None): (
        Rule(_one_of("registry", "uri"), "give exactly one of registry and uri"),
        Rule("has(self.uri) == has(self.version)", "version goes with uri, and uri needs it"),
        Rule("!has(self.digest) || has(self.uri)", "digest goes with uri; a registry knows it"),
    ),
    ("Route", None): (
        Rule("self.match != 'Host' || (has(self.hostnames) && self.hostnames.size() > 0)",
             "match: Host takes every path, so it needs hostnames"),
    ),
    ("ModelRolloutSpec", "model_name"): (
        Rule(_NEVER_CHANGES, "modelName never changes: clients call it; make another ModelRollout"),
    ),
    ("ModelRolloutSpec", None): (
        Rule("self.checks.all(c, !has(c.steps) || "
             "c.steps.all(n, self.strategy.steps.exists(s, s.name == n)))",
             "a check names a step that is not there"),
        Rule("self.checks.all(c, !has(c.steps) || c.steps.all(n, self.strategy.steps.all(s, s.name != n || "
             f"has(s.shadow) || (has(s.canary) && !(has(c.metric) && c.metric in {_PAIRED})) || "
             "(!has(c.metric) && (has(s.audience) || has(s.preview))))))",
             "a check cannot be asked at a step that it names: log_loss and disagreement need a shadow, "
             "others a shadow or canary; only prometheus is asked at an audience or a preview"),
        Rule("!has(self.route.hostnames) || self.strategy.steps.all(s, !has(s.preview) || "
             "!(s.preview.hostname in self.route.hostnames))",
             "the host of a preview is another one than the model's own"),
    ),
    ("Window", None): (
        Rule(f"!has(self.length) || ({_WINDOW} >= 3600 && {_WINDOW} % 3600 == 0 && "
             f"({_WINDOW} < 86400 ? 86400 % {_WINDOW} == 0 : {_WINDOW} % 86400 == 0))",
             "length is whole hours: one that divides a day, or whole days"),
    ),
    ("Override", None): (
        Rule("self.ignore != (has(self.measure) || has(self.threshold))",
             "give either ignore: true, or a measure or threshold"),
    ),
    ("Trip", None): (Rule("self.windows <= self.of", "windows is at most of"),),
    ("Reference", None): (Rule(_one_of("fromModel", "uri"), "give exactly one of fromModel and uri"),),
    ("DriftMonitorSpec", "target"): (
        Rule(_NEVER_CHANGES, "target never changes: what was learned is of that rollout; make another DriftMonitor"),
    ),
    ("PolicySchedule", "cron"): (
        Rule("self.findAll('[0-9]+-[0-9]+').all(r, int(r.split('-')[0]) <= int(r.split('-')[1]))",
             "a cron range runs upwards"),
    ),
    ("PolicyTrigger", None): (
        Rule(_one_of("performance", "drift", "schedule", "newData", "event"),
             "a trigger needs exactly one of performance, drift, schedule, newData, event"),
    ),
    ("Pipeline", None): (
        Rule(_one_of("providerRef", "job"), "give exactly one of providerRef and job"),
        Rule("has(self.providerRef) == has(self.name)", "name goes with providerRef, and providerRef needs it"),
    ),
    ("RetrainPolicySpec", None): (
        Rule(f"self.triggers.all(a, self.triggers.all(b, {_MONITOR.format('a')} == '' || "
             f"{_MONITOR.format('b')} == '' || {_MONITOR.format('a')} == {_MONITOR.format('b')}))",
             "all monitorRefs of a policy name the same monitor"),
        Rule("has(self.target) || self.triggers.exists(t, has(t.performance) || has(t.drift))",
             "no trigger names a monitor, so target.rolloutRef is needed"),
    ),
}  # fmt: skip

NAME: Final = Rule(
    "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "the name is at most 63 lower-case letters, digits and dashes, a letter first: a Service may carry it",
)

REPLACED: Final[Mapping[tuple[str, str], dict[str, Any]]] = {
    ("Check", "metric"): {"enum": list(METRICS)},
    ("Serving", "template"): {
        "required": ["predictor"],
        "properties": {
            "predictor": {
                "type": "object",
                "description": "As spec.predictor of a serving.kserve.io/v1beta1 InferenceService.",
                "x-kubernetes-preserve-unknown-fields": True,
            }
        },
    },
}
"""What a validator in code knows of one field, as schema."""


def rules_of(model: type[BaseModel], field: str | None, status: bool) -> Iterator[Rule]:
    """The rules of a model, or of one of its fields, and those that it inherits."""
    for cls in () if status else model.__mro__:
        yield from RULES.get((cls.__name__, field), ())
