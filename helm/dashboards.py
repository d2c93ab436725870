"""The Grafana dashboards of the chart, written as tables: `helm/trimtab/files/dashboards/*.json` are made from here."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 24
HEIGHT: Final = 8
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture.

    Attributes:
        queries: (PromQL, legend) each.
        unit: Grafana's name of it.
        kind: Grafana's name of the picture.
        about: what a person should read out of it.
    """

    title: str
    queries: Sequence[tuple[str, str]]
    about: str
    unit: str = "short"
    kind: str = "timeseries"
    width: int = WIDTH // 2


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page; `variables` are (label, metric that has it): its values are chosen at the top."""

    name: str
    title: str
    variables: Sequence[tuple[str, str]]
    panels: Sequence[Panel]


OF: Final = 'namespace=~"$namespace",name=~"$name"'
MODEL: Final = 'model_name=~"$model_name"'

DASHBOARDS: Final = (
    Dashboard("model-health", "trimtab: model health", [("model_name", "trimtab_requests_total")], [
        Panel("Requests a second", [
            (f"sum by (revision) (rate(trimtab_requests_total{{{MODEL}}}[$__rate_interval]))", "{{revision}}"),
        ], "Answered predictions by revision; mirrored copies count at the candidate.", "reqps"),
        Panel("Answers that are not 2xx", [
            (f'sum by (revision, status) (rate(trimtab_requests_total{{{MODEL},status!~"2.."}}[$__rate_interval]))',
             "{{revision}} {{status}}"),
        ], "4xx is the caller's mistake, 5xx the server's.", "reqps"),
        Panel("Mean time to answer", [
            (f"sum by (revision) (rate(trimtab_request_seconds_total{{{MODEL}}}[$__rate_interval])) / "
             f"sum by (revision) (rate(trimtab_requests_total{{{MODEL}}}[$__rate_interval]))", "{{revision}}"),
        ], "In the server, without the way to it.", "s"),
        Panel("Rows a second", [
            (f"sum by (revision) (rate(trimtab_predictions_total{{{MODEL}}}[$__rate_interval]))", "{{revision}}"),
        ], "A request may hold many."),
        Panel("Events on their way, and given up", [
            (f"sum by (revision) (trimtab_log_in_flight{{{MODEL}}})", "{{revision}} in flight"),
            (f"sum by (revision) (rate(trimtab_dropped_total{{{MODEL}}}[$__rate_interval]))",
             "{{revision}} given up a second"),
        ], "Given-up events never make a caller wait, but verdicts miss them."),
        Panel("Keys that found nothing", [
            (f"sum by (view, key) (rate(trimtab_online_missing_total{{{MODEL}}}[$__rate_interval]))",
             "{{view}} {{key}}"),
        ], "Unknown keys rise when materialization is late."),
    ]),
    Dashboard("drift", "trimtab: drift", [("namespace", "trimtab_drift"), ("name", "trimtab_drift")], [
        Panel("Open episodes", [
            (f"trimtab_open_episodes{{{OF}}}", "{{namespace}}/{{name}} {{cause}}"),
        ], "An episode opens when windows trip, and closes with a promotion.", kind="stat", width=WIDTH),
        Panel("The columns that moved most", [
            (f"topk(10, trimtab_drift{{{OF}}})", "{{name}} {{column}} ({{measure}})"),
        ], "The value of each column's measure in the latest window."),
        Panel("Skill lost against the reference", [
            (f"trimtab_skill_drop_nats{{{OF}}}", "{{namespace}}/{{name}}"),
        ], "Nats a row, mature labels only; what retraining acts on."),
        Panel("Coverage", [
            ('trimtab_collector_coverage{namespace=~"$namespace"}', "{{revision}}"),
        ], "Share of answered requests whose rows came; under the monitor's minCoverage nothing is judged.",
            "percentunit"),
        Panel("Labels and examples held", [
            ('trimtab_collector_labels{namespace=~"$namespace"}', "{{namespace}} labels"),
            ('trimtab_collector_examples{namespace=~"$namespace"}', "{{namespace}} examples"),
        ], "Without labels no performance is judged."),
        Panel("Events a second, and refused ones", [
            ('sum by (revision) (rate(trimtab_collector_received_total{namespace=~"$namespace"}[$__rate_interval]))',
             "{{revision}}"),
            ('sum by (reason) (rate(trimtab_collector_refused_total{namespace=~"$namespace"}[$__rate_interval]))',
             "refused: {{reason}}"),
        ], "A full disk, or malformed events."),
        Panel("Size of the log", [
            ('trimtab_collector_log_bytes{namespace=~"$namespace"}', "{{namespace}}"),
        ], "Beside the size of the volume.", "bytes"),
    ]),
    Dashboard("rollout", "trimtab: rollouts", [
        ("namespace", "trimtab_rollout_phase"), ("name", "trimtab_rollout_phase"),
    ], [
        Panel("Waits for a person", [
            (f"trimtab_rollout_stalled{{{OF}}} == 1", "{{namespace}}/{{name}}"),
        ], "`kubectl trimtab rollout status NAME` says for what.", kind="stat"),
        Panel("Phase", [
            (f"trimtab_rollout_phase{{{OF}}} == 1", "{{namespace}}/{{name}} {{phase}}"),
        ], "What each rollout is doing.", kind="stat"),
        Panel("Traffic", [
            (f"trimtab_traffic_percent{{{OF}}}", "{{name}} {{role}}"),
        ], "As observed on the route, in percent; mirror are copies.", "percent"),
        Panel("Verdicts", [
            (f"trimtab_check_verdict{{{OF}}} == 1", "{{name}} {{check}} {{verdict}}"),
        ], "No data is Inconclusive, never Pass."),
        Panel("Looks a second", [
            ("sum by (kind, result) (rate(trimtab_reconciles_total[$__rate_interval]))", "{{kind}} {{result}}"),
        ], "Of the operator, by what came of them.", "ops"),
        Panel("How long a look takes, 95th percentile", [
            ("histogram_quantile(0.95, sum by (kind, le) (rate(trimtab_reconcile_seconds_bucket[$__rate_interval])))",
             "{{kind}}"),
        ], "A server that hangs shows here first.", "s"),
        Panel("Calls of the API server", [
            ("sum by (verb, code) (rate(trimtab_api_calls_total[$__rate_interval]))", "{{verb}} {{code}}"),
        ], "At rest there are next to none.", "ops"),
        Panel("Who leads, and what waits", [
            ("trimtab_leading", "{{pod}} leads"),
            ("sum by (kind) (trimtab_queue_depth)", "{{kind}} waiting"),
            ("max by (provider) (trimtab_provider_hangs)", "{{provider}} hangs"),
        ], "One replica leads; a provider that hangs holds up what rests on it."),
    ]),
    Dashboard("pipeline", "trimtab: retraining", [("namespace", "trimtab_runs"), ("name", "trimtab_runs")], [
        Panel("Runs remembered, by outcome", [
            (f"sum by (outcome) (trimtab_runs{{{OF}}})", "{{outcome}}"),
        ], "Candidate: waits for its rollout. Rejected: refused by it. Promoted: serves.", kind="stat", width=WIDTH),
        Panel("Runs under way", [
            (f'trimtab_runs{{{OF},outcome="Running"}}', "{{namespace}}/{{name}}"),
        ], "At most one a policy takes effect."),
        Panel("Runs that failed or were refused by a gate", [
            (f'trimtab_runs{{{OF},outcome=~"Failed|Refused"}}', "{{name}} {{outcome}}"),
        ], "A refused model is an answer; a failed run is a fault."),
        Panel("Why: open episodes", [
            ('trimtab_open_episodes{namespace=~"$namespace"}', "{{name}} {{cause}}"),
        ], "Performance starts a run; drift does where the policy says so."),
        Panel("Looks at policies", [
            ('sum by (result) (rate(trimtab_reconciles_total{kind="RetrainPolicy"}[$__rate_interval]))', "{{result}}"),
        ], "Errors: the pipeline's server or the namespace's rights.", "ops"),
    ]),
)  # fmt: skip


def dashboard(name: str) -> str:
    """The JSON that Grafana imports."""
    page = next(one for one in DASHBOARDS if one.name == name)
    made = {
        "uid": f"trimtab-{page.name}",
        "title": page.title,
        "description": "Generated from helm/dashboards.py by `make generate`.",
        "tags": ["trimtab"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [_source(), *(_variable(*one) for one in page.variables)]},
        "panels": list(_placed(page.panels)),
    }
    return json.dumps(made, indent=1) + "\n"


def queries() -> Iterator[str]:
    """All of them."""
    for page in DASHBOARDS:
        for panel in page.panels:
            yield from (query for query, _ in panel.queries)
        yield from (metric for _, metric in page.variables)


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(label: str, metric: str) -> dict[str, Any]:
    return {
        "name": label,
        "type": "query",
        "datasource": SOURCE,
        "query": f"label_values({metric}, {label})",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _placed(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    x = y = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > WIDTH:
            x, y = 0, y + HEIGHT
        yield {
            "id": number,
            "type": panel.kind,
            "title": panel.title,
            "description": panel.about,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": panel.width, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
            "options": {"textMode": "value_and_name"}
            if panel.kind == "stat"
            else {"tooltip": {"mode": "multi"}},
            "targets": [
                {"refId": chr(65 + at), "expr": query, "legendFormat": legend, "datasource": SOURCE}
                for at, (query, legend) in enumerate(panel.queries)
            ],
        }
        x += panel.width
