"""A security scanner over all that trimtab installs: what the chart renders, what the operator makes beside it (a
collector, and the Job of a RetrainPolicy as the samples have it), and the MLflow of manifests/overlays/local.

    python helm/scan.py

checkov runs in an environment of its own (uv, from the package index; a minute), without asking its maker for anything.
Status 1 for a finding that helm/accepted.yaml does not answer, and for an answer to what is no longer found.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
MLFLOW: Final = ROOT / "manifests" / "overlays" / "local" / "mlflow.yaml"
SAMPLE: Final = ROOT / "manifests" / "samples" / "retrainpolicy.yaml"
ACCEPTED: Final = ROOT / "helm" / "accepted.yaml"
SCANNER: Final = "checkov==3.3.30"
WANTED: Final = "monitoring.monitors=always,monitoring.alerts=always,servingRuntime.create=always"
Finding = tuple[str, str]
"""(check's id, "KIND NAME")"""


def main() -> int:
    """Scan, and say what is new and what is gone."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "installed.yaml"
        file.write_text("\n---\n".join((rendered(), collectors(), job(), MLFLOW.read_text())))
        said = scanned(file)
    found, answered = findings(said), accepted(yaml.safe_load(ACCEPTED.read_text()))
    names = {one["check_id"]: one["check_name"] for one in said["results"]["failed_checks"]}
    for check, what in sorted(found - answered):
        sys.stdout.write(f"not answered: {check} {names[check]}: {what}\n")
    for check, what in sorted(answered - found):
        sys.stdout.write(f"no longer found: {check} of {what}; take it out of {ACCEPTED.relative_to(ROOT)}\n")
    summary = said["summary"]
    sys.stdout.write(
        f"{SCANNER}: {summary['resource_count']} objects, {summary['passed']} checks passed, {len(found)} findings, "
        f"{len(found & answered)} of them answered in {ACCEPTED.relative_to(ROOT)}\n"
    )
    return int(found != answered)


def rendered() -> str:
    """The chart with all of its optional parts."""
    sys.path[:0] = [str(ROOT), str(ROOT / "manifests")]
    from render import helm_program

    command = [
        str(helm_program()),
        "template",
        "trimtab",
        "helm/trimtab",
        "-n",
        "trimtab-system",
        "--set",
        WANTED,
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def collectors() -> str:
    """What the operator makes in a namespace."""
    from trimtab.adapters.namespaced_collector import CollectorSettings, Fence, collector_objects

    settings = CollectorSettings("trimtab-operator:0.1.0", fence=Fence("trimtab-system"))
    return yaml.safe_dump_all(one for one in collector_objects("shop", settings) if one is not None)


def job() -> str:
    """What the operator makes of the samples' RetrainPolicy."""
    from trimtab.adapters.jobs.job import job_of
    from trimtab.api.resources.retrain import RetrainPolicy

    policy = RetrainPolicy.model_validate(yaml.safe_load(SAMPLE.read_text()))
    pipeline = policy.spec.pipeline
    assert pipeline.job is not None
    made = job_of("flights", "shop", "0" * 64, pipeline, pipeline.job, {"until": ""}, {}, None)
    return yaml.safe_dump(made)


def scanned(file: Path) -> Mapping[str, Any]:
    """checkov's own report."""
    run = [
        sys.executable,
        "-m",
        "uv",
        "run",
        "-q",
        "--isolated",
        "--no-project",
        "--with",
        SCANNER,
        "checkov",
    ]
    options = ["--framework", "kubernetes", "--skip-download", "--soft-fail", "--compact", "-o", "json"]
    done = subprocess.run(
        [*run, *options, "-f", str(file)],
        cwd=file.parent, env={**os.environ, "BC_SKIP_MAPPING": "TRUE"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{SCANNER} did not run\n{done.stderr[-2000:]}")
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def findings(report: Mapping[str, Any]) -> set[Finding]:
    """
    >>> one = {"check_id": "CKV_K8S_11", "resource": "Deployment.trimtab-system.trimtab-operator"}
    >>> findings({"results": {"failed_checks": [one]}})
    {('CKV_K8S_11', 'Deployment trimtab-operator')}
    """
    return {(one["check_id"], _named(one["resource"])) for one in report["results"]["failed_checks"]}


def accepted(answers: list[Mapping[str, Any]]) -> set[Finding]:
    """What is answered; each with a reason."""
    assert all(answer["because"] for answer in answers)
    return {(answer["check"], what) for answer in answers for what in answer["of"]}


def _named(resource: str) -> str:
    kind, *_, name = resource.split(".")
    return f"{kind} {name}"


if __name__ == "__main__":
    raise SystemExit(main())
