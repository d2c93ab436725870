"""Manifests that both sides accept, and ways that they refuse: the one table for pydantic and the API server.

`GOOD` holds them in canonical form, so that what the API server returns, defaults filled in, can be compared letter
by letter with what the model dumps. `BAD` names what cross-field rules refuse.
"""

import copy
from typing import Any, Final

Json = dict[str, Any]
GONE: Final = object()
LONG_NAME: Final = "m" * 63


def manifest(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "trimtab.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


ROLLOUT: Final = manifest(
    "ModelRollout",
    "flights",
    {
        "model": {"registry": {"providerRef": "mlflow", "name": "flights"}},
        "modelName": "flights",
        "serving": {"template": {"predictor": {"model": {"modelFormat": {"name": "onnx"}}}}},
        "route": {"parentRefs": [{"name": "public", "namespace": "gateways"}]},
    },
)
FULL_ROLLOUT: Final = manifest(
    "ModelRollout",
    LONG_NAME,
    {
        "model": {"uri": "s3://models/flights/3", "version": "3", "digest": "0a" * 32},
        "modelName": "f" * 63,
        "serving": {
            "template": {"predictor": {"minReplicas": 2, "model": {"env": [{"name": "ä", "value": "Flüge ✈"}]}}},
            "timeout": "5m",
            "drain": "1m30s",
        },
        "serviceAccountName": "writer",
        "route": {
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https", "port": 443}],
            "hostnames": ["*.example.com", "models.example.com"],
            "match": "Host",
            "inCluster": False,
        },
        "strategy": {
            "capacity": {"candidate": "MatchTraffic", "freezeStable": False},
            "warmUp": {"requests": 0, "timeout": "1d"},
            "steps": [
                {"name": "shadow", "shadow": {"percent": 50},
                 "until": {"minDuration": "7d", "maxDuration": "28d", "minBlocks": 7, "minSamples": 100}},
                {"name": "first", "canary": {"percent": 5}, "until": {"minDuration": "1d", "maxDuration": "1d"}},
                {"name": "sign-off", "approval": {}},
                {"name": "watch", "hold": {}, "until": {"minDuration": "1h"}},
                {"name": "look", "preview": {"hostname": "preview.flights.example.com"}},
                {"name": "beta", "audience": {"header": {"name": "X-Cohort", "value": "beta=1/2"}}},
                {"name": "cookie", "audience": {"cookie": {"name": "cohort", "value": "b"}}},
                {"name": "tenth", "audience": {"hash": {"cookie": "uid", "percent": 10}},
                 "until": {"maxDuration": "1d"}},
            ],
            "onInconclusive": "Advance",
            "onNewCandidate": "Supersede",
            "keepPrevious": "0s",
        },
        "checks": [
            {"name": "loss", "metric": "log_loss", "noWorseThanStableBy": {"absolute": "0.02"},
             "alpha": {"fail": "0.01", "pass": "0.05"}, "block": "1h", "steps": ["shadow"], "require": "Pass"},
            {"name": "better", "metric": "log_loss", "betterThanStableBy": {"absolute": "0"}},
            {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": {"absolute": "0.01"},
             "block": "request", "steps": ["first", "shadow"]},
            {"name": "latency", "metric": "latency_p95", "noWorseThanStableBy": {"percent": "20.5"}},
            {"name": "sane", "metric": "disagreement", "atMost": "0.5", "require": "NotFailed"},
            {"name": "queue", "prometheus": {"providerRef": "prometheus", "query": "max(queue{v='$candidate'})"},
             "atMost": "10", "consecutiveFailures": 2, "steps": ["first", "look", "beta"], "require": "NotFailed"},
        ],
        "deletionPolicy": "Delete",
        "suspend": True,
    },
)  # fmt: skip
FOLLOWING_ROLLOUT: Final = manifest(
    "ModelRollout",
    "follows",
    {
        "model": {
            "registry": {"providerRef": "mlflow", "name": "flights", "alias": "challenger", "pollEvery": "5m"}
        },
        "modelName": "flights",
        "serving": {"template": {"predictor": {"model": {"modelFormat": {"name": "onnx"}}}}},
        "route": {"parentRefs": [{"name": "public"}]},
        "strategy": {
            "steps": [
                {"name": "tenth", "audience": {"hash": {"header": "x-user", "percent": 10}},
                 "until": {"maxDuration": "1d"}},
            ],
        },
        "checks": [
            {"name": "hits", "prometheus": {"providerRef": "prometheus", "query": "hits"}, "atLeast": "0.5"}
        ],
    },
)  # fmt: skip
MONITOR: Final = manifest("DriftMonitor", "flights", {"target": {"rolloutRef": "flights"}})
FULL_MONITOR: Final = manifest(
    "DriftMonitor",
    LONG_NAME,
    {
        "target": {"rolloutRef": LONG_NAME},
        "reference": {"uri": "mlflow-artifacts:/1/abc/artifacts/model"},
        "window": {"length": "6h", "minRows": 1},
        "measures": {"number": "psi", "category": "chi_square"},
        "overrides": [
            {"match": "distance", "measure": "wasserstein", "threshold": "0.25"},
            {"match": "Flüge*", "ignore": True},
        ],
        "falseAlarms": {"per": "30d", "atMost": 2},
        "trip": {"windows": 3, "of": 3, "driftedShare": "1"},
        "performance": {"metric": "skill", "block": "1d", "maxDrop": "0.001", "alpha": "0.1"},
        "minCoverage": "0",
    },
)
BLIND_MONITOR: Final = manifest(
    "DriftMonitor",
    "inputs",
    {
        "target": {"rolloutRef": "flights"},
        "reference": {"fromModel": True},
        "performance": None,
        "window": {"length": "14d"},
    },
)
POLICY: Final = manifest(
    "RetrainPolicy",
    "flights",
    {
        "pipeline": {
            "providerRef": "kubeflow",
            "name": "flights-training",
            "project": "s3://b/flights.tar.gz",
        },
        "triggers": [{"name": "performance", "performance": {"monitorRef": "flights"}}],
    },
)
FULL_POLICY: Final = manifest(
    "RetrainPolicy",
    LONG_NAME,
    {
        "pipeline": {
            "job": {
                "image": "registry.example.com/trimtab:1",
                "platform": "cluster",
                "cpu": "500m",
                "memory": "2Gi",
                "gpu": 1,
                "accelerator": "example.com/gpu",
                "env": [{"name": "GRÖSSE", "value": "ä"}],
                "envFrom": [{"secretRef": {"name": "s3"}}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "deadline": "1h",
                "retries": 0,
                "keep": "1d",
                "nodeSelector": {"gpu": "no"},
                "tolerations": [{"operator": "Exists"}],
                "imagePullSecrets": [{"name": "pull"}],
                "securityContext": {"runAsNonRoot": True, "fsGroup": 65532},
            },
            "project": "s3://b/flights-0a.tar.gz",
            "parameters": [{"name": "window", "value": ""}, {"name": "note", "value": "für später"}],
            "serviceAccountName": "runs",
        },
        "triggers": [
            {"name": "performance", "performance": {"monitorRef": "flights"}},
            {"name": "drift", "drift": {"monitorRef": "flights", "actOn": "trip"}},
            {"name": "daily", "schedule": {"cron": "0,30 3-5 */2 1 1-5", "timeZone": "Europe/Berlin"}},
            {"name": "data", "newData": {"minRows": 50000}},
            {"name": "upstream", "event": {"type": "com.example.upstream.changed"}},
        ],
        "guards": {
            "cooldown": "1h",
            "maxPerDay": 5,
            "rearm": {"newLabelledShare": "0.5", "minInterval": "7d"},
            "circuitBreaker": {"failures": 2, "resetAfter": "1h"},
        },
        "target": {"rolloutRef": "flights"},
        "suspend": True,
    },
)
GOOD: Final = (
    ROLLOUT, FULL_ROLLOUT, FOLLOWING_ROLLOUT, MONITOR, FULL_MONITOR, BLIND_MONITOR, POLICY, FULL_POLICY,
)  # fmt: skip

STEP = "spec.strategy.steps"
CHECK = "spec.checks"
BAD: Final[dict[str, tuple[Json, dict[str, Any]]]] = {
    "a name of 64": (ROLLOUT, {"metadata.name": "m" * 64}),
    "a name with dots": (ROLLOUT, {"metadata.name": "flights.v1"}),
    "a name that starts with a digit": (MONITOR, {"metadata.name": "1flights"}),
    "no spec": (POLICY, {"spec": GONE}),
    "no model": (ROLLOUT, {"spec.model.registry": GONE}),
    "two models": (ROLLOUT, {"spec.model.uri": "s3://m/1", "spec.model.version": "1"}),
    "uri without version": (FULL_ROLLOUT, {"spec.model.version": GONE}),
    "version without uri": (ROLLOUT, {"spec.model.version": "1"}),
    "digest without uri": (ROLLOUT, {"spec.model.digest": "0a" * 32}),
    "a uri that no server reads": (FULL_ROLLOUT, {"spec.model.uri": "mlflow-artifacts:/1/model"}),
    "a uri of this machine": (FULL_ROLLOUT, {"spec.model.uri": "file:///models/1"}),
    "no predictor": (ROLLOUT, {"spec.serving.template": {}}),
    "a predictor that is a list": (ROLLOUT, {"spec.serving.template.predictor": []}),
    "every path of no host": (FULL_ROLLOUT, {"spec.route.hostnames": []}),
    "a host with a path": (FULL_ROLLOUT, {"spec.route.hostnames": ["a.example.com/x"]}),
    "two steps of one name": (FULL_ROLLOUT, {f"{STEP}.1.name": "shadow", f"{CHECK}.2.steps": []}),
    "a step of no kind": (FULL_ROLLOUT, {f"{STEP}.3.hold": GONE}),
    "a step of two kinds": (FULL_ROLLOUT, {f"{STEP}.0.canary": {"percent": 5}}),
    "hold first": (FULL_ROLLOUT, {f"{STEP}": [{"name": "shadow", "hold": {}, "until": {"minDuration": "1h"}}],
                                  CHECK: []}),
    "a hold without an end": (FULL_ROLLOUT, {f"{STEP}.3.until": GONE}),
    "an approval with a time": (FULL_ROLLOUT, {f"{STEP}.2.until": {"minDuration": "1s"}}),
    "an approval with a deadline": (FULL_ROLLOUT, {f"{STEP}.2.until": {"maxDuration": "1d"}}),
    "an approval with blocks": (FULL_ROLLOUT, {f"{STEP}.2.until": {"minBlocks": 1}}),
    "an approval with samples": (FULL_ROLLOUT, {f"{STEP}.2.until": {"minSamples": 1}}),
    "a preview of no host": (FULL_ROLLOUT, {f"{STEP}.4.preview": {}}),
    "a preview of every host": (FULL_ROLLOUT, {f"{STEP}.4.preview.hostname": "*.example.com"}),
    "a preview at the model's own host": (FULL_ROLLOUT, {f"{STEP}.4.preview.hostname": "models.example.com"}),
    "an audience of nobody": (FULL_ROLLOUT, {f"{STEP}.5.audience": {}}),
    "an audience of two kinds": (FULL_ROLLOUT, {f"{STEP}.5.audience.cookie": {"name": "a", "value": "b"}}),
    "an audience by host": (FULL_ROLLOUT, {f"{STEP}.5.audience.header.name": "Host"}),
    "a header of any value": (FULL_ROLLOUT, {f"{STEP}.5.audience.header.value": ""}),
    "a hash of nothing": (FULL_ROLLOUT, {f"{STEP}.7.audience.hash.cookie": GONE}),
    "a hash of two things": (FULL_ROLLOUT, {f"{STEP}.7.audience.hash.header": "x-user"}),
    "a hash of all callers": (FULL_ROLLOUT, {f"{STEP}.7.audience.hash.percent": 100}),
    "errors at an audience": (FULL_ROLLOUT, {f"{CHECK}.2.steps": ["beta"]}),
    "latency at a preview": (FULL_ROLLOUT, {f"{CHECK}.3.steps": ["look"]}),
    "max before min": (FULL_ROLLOUT, {f"{STEP}.0.until.maxDuration": "6d23h59m59s"}),
    "no steps": (FULL_ROLLOUT, {STEP: [], CHECK: []}),
    "two checks of one name": (FULL_ROLLOUT, {f"{CHECK}.1.name": "loss"}),
    "a check at a step that is not there": (FULL_ROLLOUT, {f"{CHECK}.0.steps": ["shadow", "nowhere"]}),
    "labels at a canary": (FULL_ROLLOUT, {f"{CHECK}.0.steps": ["first"]}),
    "agreement at a canary": (FULL_ROLLOUT, {f"{CHECK}.4.steps": ["first"]}),
    "errors at an approval": (FULL_ROLLOUT, {f"{CHECK}.2.steps": ["sign-off"]}),
    "default checks without their step": (ROLLOUT, {"spec.strategy":
                                                    {"steps": [{"name": "all", "canary": {"percent": 50}}]}}),
    "no bound": (FULL_ROLLOUT, {f"{CHECK}.0.noWorseThanStableBy": GONE}),
    "two bounds": (FULL_ROLLOUT, {f"{CHECK}.0.atMost": "1"}),
    "a bound of no form": (FULL_ROLLOUT, {f"{CHECK}.0.noWorseThanStableBy": {}}),
    "a bound of two forms": (FULL_ROLLOUT, {f"{CHECK}.0.noWorseThanStableBy.percent": "2"}),
    "a bound as in trimtab.yaml": (FULL_ROLLOUT, {f"{CHECK}.3.noWorseThanStableBy": "20%"}),
    "a number without quotes": (FULL_ROLLOUT, {f"{CHECK}.4.atMost": 0.5}),
    "a margin of 0": (FULL_ROLLOUT, {f"{CHECK}.0.noWorseThanStableBy": {"absolute": "0.000"}}),
    "a margin below 0": (FULL_ROLLOUT, {f"{CHECK}.3.noWorseThanStableBy": {"percent": "-1"}}),
    "better by less than nothing": (FULL_ROLLOUT, {f"{CHECK}.1.betterThanStableBy": {"absolute": "-0.1"}}),
    "better in percent": (FULL_ROLLOUT, {f"{CHECK}.1.betterThanStableBy": {"percent": "2"}}),
    "better by a word": (FULL_ROLLOUT, {f"{CHECK}.1.betterThanStableBy": {"percent": "20%"}}),
    "log loss in percent": (FULL_ROLLOUT, {f"{CHECK}.0.noWorseThanStableBy": {"percent": "2"}}),
    "log loss alone": (FULL_ROLLOUT, {f"{CHECK}.0.noWorseThanStableBy": GONE, f"{CHECK}.0.atMost": "1"}),
    "errors in percent": (FULL_ROLLOUT, {f"{CHECK}.2.noWorseThanStableBy": {"percent": "2"}}),
    "latency in seconds": (FULL_ROLLOUT, {f"{CHECK}.3.noWorseThanStableBy": {"absolute": "2"}}),
    "better latency": (FULL_ROLLOUT, {f"{CHECK}.3.noWorseThanStableBy": GONE,
                                      f"{CHECK}.3.betterThanStableBy": {"percent": "2"}}),
    "agreement that must pass": (FULL_ROLLOUT, {f"{CHECK}.4.require": "Pass"}),
    "agreement at least": (FULL_ROLLOUT, {f"{CHECK}.4.atMost": GONE, f"{CHECK}.4.atLeast": "0.5"}),
    "labels by request": (FULL_ROLLOUT, {f"{CHECK}.0.block": "request"}),
    "errors by the day": (FULL_ROLLOUT, {f"{CHECK}.2.block": "1d"}),
    "rows": (FULL_ROLLOUT, {f"{CHECK}.2.block": "row"}),
    "alpha of nothing": (FULL_ROLLOUT, {f"{CHECK}.0.alpha.fail": "0"}),
    "alpha of a half": (FULL_ROLLOUT, {f"{CHECK}.0.alpha.pass": "0.5"}),
    "a metric that nobody knows": (FULL_ROLLOUT, {f"{CHECK}.0.metric": "accuracy"}),
    "a check of nothing": (FULL_ROLLOUT, {f"{CHECK}.5.prometheus": GONE}),
    "a check of two things": (FULL_ROLLOUT, {f"{CHECK}.5.metric": "disagreement"}),
    "prometheus beside stable": (FULL_ROLLOUT, {f"{CHECK}.5.atMost": GONE,
                                                f"{CHECK}.5.noWorseThanStableBy": {"absolute": "1"}}),
    "prometheus with a test": (FULL_ROLLOUT, {f"{CHECK}.5.alpha": {"fail": "0.05"}}),
    "prometheus by the day": (FULL_ROLLOUT, {f"{CHECK}.5.block": "1d"}),
    "prometheus at an approval": (FULL_ROLLOUT, {f"{CHECK}.5.steps": ["sign-off"]}),
    "failures in a row of a test": (FULL_ROLLOUT, {f"{CHECK}.2.consecutiveFailures": 2}),
    "no reference": (FULL_MONITOR, {"spec.reference": {}}),
    "two references": (FULL_MONITOR, {"spec.reference.fromModel": True}),
    "not from the model": (MONITOR, {"spec.reference": {"fromModel": False}}),
    "a window of half an hour": (FULL_MONITOR, {"spec.window.length": "30m"}),
    "a window of 90 minutes": (FULL_MONITOR, {"spec.window.length": "1h30m"}),
    "a window of 5 hours": (FULL_MONITOR, {"spec.window.length": "5h"}),
    "a window of 25 hours": (FULL_MONITOR, {"spec.window.length": "25h"}),
    "a window of nothing": (FULL_MONITOR, {"spec.window.length": "0s"}),
    "an override that says nothing": (FULL_MONITOR, {"spec.overrides.0": {"match": "a"}}),
    "an override that says two things": (FULL_MONITOR, {"spec.overrides.1.threshold": "1"}),
    "more windows than there are": (FULL_MONITOR, {"spec.trip.windows": 4}),
    "a share above 1": (FULL_MONITOR, {"spec.trip.driftedShare": "1.01"}),
    "a share below 0": (FULL_MONITOR, {"spec.minCoverage": "-0.1"}),
    "a drop below 0": (FULL_MONITOR, {"spec.performance.maxDrop": "-0.1"}),
    "alpha of a monitor": (FULL_MONITOR, {"spec.performance.alpha": "0.7"}),
    "no runner": (POLICY, {"spec.pipeline.providerRef": GONE, "spec.pipeline.name": GONE}),
    "two runners": (POLICY, {"spec.pipeline.job": {"image": "a"}}),
    "a server without a name": (POLICY, {"spec.pipeline.name": GONE}),
    "a name without a server": (FULL_POLICY, {"spec.pipeline.name": "flights"}),
    "a project of this machine": (POLICY, {"spec.pipeline.project": "/home/ann/flights"}),
    "two parameters of one name": (FULL_POLICY, {"spec.pipeline.parameters.1.name": "window"}),
    "two triggers of one name": (FULL_POLICY, {"spec.triggers.1.name": "performance"}),
    "no triggers": (POLICY, {"spec.triggers": []}),
    "a trigger of no kind": (POLICY, {"spec.triggers": [{"name": "a"}], "spec.target": {"rolloutRef": "a"}}),
    "a trigger of two kinds": (POLICY, {"spec.triggers.0.event": {"type": "a"}}),
    "two monitors": (FULL_POLICY, {"spec.triggers.1.drift.monitorRef": "other"}),
    "no monitor and no target": (POLICY, {"spec.triggers": [{"name": "a", "event": {"type": "a"}}]}),
    "cron of four fields": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "0 3 * *"}),
    "cron at minute 60": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "60 3 * * *"}),
    "cron at hour 24": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "0 24 * * *"}),
    "cron on day 0": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "0 3 0 * *"}),
    "cron in month 13": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "0 3 * 13 *"}),
    "cron on weekday 8": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "0 3 * * 8"}),
    "cron backwards": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "0 5-3 * * *"}),
    "cron by name": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "0 3 * * MON"}),
    "cron every 0": (FULL_POLICY, {"spec.triggers.2.schedule.cron": "*/0 3 * * *"}),
}  # fmt: skip


def changed(base: Json, edits: dict[str, Any]) -> Json:
    """A copy with other values at dotted paths."""
    obj = copy.deepcopy(base)
    for path, value in edits.items():
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        inner: Any = obj
        for part in parents:
            inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
        if value is GONE:
            del inner[last]
        else:
            inner[last] = value
    return obj
