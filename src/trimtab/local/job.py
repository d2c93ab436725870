"""A run in a pod: fetch the bundle, compile its IR, run it as `trimtab run` does, and leave how it ended.

    python -m trimtab.local.job --project s3://…/flights-<digest>.tar.gz --key KEY --claims NAMESPACE --home /trimtab

With --platform NAME of its platform.yaml each step runs in a pod of its own, as its IR says; else all in this one.
TRIMTAB_PARAMETERS holds the run's parameters (JSON), TRIMTAB_RUN the id under which it claims its key, TRIMTAB_OWNER
what the claim goes with (JSON, an entry of ownerReferences). Events go to standard output, a JSON object a line. Exit
status as of every command; what ended well by being skipped or by a refusal of the gates is 0.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.jobs.message import Ended
from trimtab.adapters.projects.archive import unpacked
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded, load, load_platform
from trimtab.api.errors import ExitStatus, InputRefused, SurroundingsFailed, TrimtabError
from trimtab.api.platform import Platform
from trimtab.ports.runs import RunState

TERMINATION: Final = Path("/dev/termination-log")
TAKEN: Final = ("until", "window", "stable")
LOG_CHARACTERS: Final = 20_000
DEFAULTS: Final = {"window": "", "stable": ""}


def main(argv: list[str] | None = None, termination: Path = TERMINATION) -> int:
    """Run to the end; the exit status is the Job's."""
    parser = argparse.ArgumentParser(prog="python -m trimtab.local.job", description=__doc__)
    parser.add_argument("--project", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--claims", default="")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--platform", default="")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        parameters = read_parameters(os.environ.get("TRIMTAB_PARAMETERS", "{}"))
        told = parameters | {"key": given.key, "claims": given.claims}
        ended = run(given.project, Home.of(given.home), told, given.platform)
        status = ExitStatus.DONE
    except TrimtabError as error:
        remedy = f"; {error.remedy}" if error.remedy else ""
        ended, status = Ended(failed=f"{error.message}{remedy}"), error.status
        print(error, file=sys.stderr)  # noqa: T201  the pod's log
    termination.write_text(ended.to_text())
    return status


def read_parameters(text: str) -> dict[str, Any]:
    """
    Raises:
        InputRefused: a parameter that the pipeline does not have.
    """
    told: dict[str, Any] = json.loads(text)
    unknown = sorted(told.keys() - {*TAKEN, "force_past_gate"})
    if unknown:
        raise InputRefused(
            f"the pipeline has no parameter '{unknown[0]}'",
            remedy=f"spec.pipeline.parameters may set {', '.join(TAKEN)}",
        )
    if "until" not in told:
        raise InputRefused("the run has no `until`", remedy="give an RFC 3339 time")
    return DEFAULTS | told | {"force_past_gate": str(told.get("force_past_gate", "")).lower() == "true"}


def run(address: str, home: Home, parameters: Mapping[str, Any], platform: str = "") -> Ended:
    """
    Args:
        platform: whose pods the steps are; "" for this pod.

    Raises:
        InputRefused: no such bundle, or not the one that its address says.
        TaskFailed: a step failed.
        SurroundingsFailed: storage, or it failed outside its steps.
    """
    from trimtab.bootstrap.local import pipeline_host, prepare
    from trimtab.local.extras import RUN, need
    from trimtab.local.runs import LocalRuns, Record, run_id
    from trimtab.local.training import ended

    need("a run", *RUN)
    loaded = load(unpacked(address, home.bundles))
    prepared = prepare(loaded, home, placed(loaded, home, platform) if platform else None)
    identity = run_id(str(parameters["key"]))
    record = Record.read(home.runs / identity)
    if record is None or record.state != RunState.SUCCEEDED.value:
        with pipeline_host(home, in_pods=bool(platform)) as host:
            record = LocalRuns(prepared, lambda: host, tell).run(identity, parameters)
    if any(task.name == "admit" and task.outputs.get("Output") is False for task in record.tasks):
        return Ended(skipped=True, because="another run holds the claim of its key")
    done = ended(record, home)
    if done.state is not RunState.SUCCEEDED:
        raise SurroundingsFailed(f"the run ended as {done.state.value}: {done.because}")
    return Ended(
        version=done.version,
        passed=done.passed,
        because=done.because,
        until=str(parameters["until"]),
        labelled=done.labelled,
    )


def placed(loaded: Loaded, home: Home, name: str) -> tuple[str, Platform]:
    """The platform whose pods the steps are, chosen for this process too.

    Raises:
        InputRefused: there is none of this name, or its steps and this pod do not share `.trimtab`.
    """
    from trimtab.adapters.kubernetes.in_pod import PodApi
    from trimtab.adapters.step_pods import end_steps, own_pod, see_volume
    from trimtab.bootstrap.local import PLATFORM_VARIABLE

    platform = load_platform(loaded.root, name)
    api = PodApi()
    own = own_pod(api)
    see_volume(own, name, platform.pods.volume, home.path.parent)
    end_steps(api, own)
    os.environ[PLATFORM_VARIABLE] = name
    return name, platform


def tell(event: Mapping[str, Any]) -> None:
    """An event into the pod's log; of a step that failed also the end of its own log, which goes with the pod."""
    print(json.dumps(event, default=str), flush=True)  # noqa: T201  the pod's log
    if event["event"] == "task_ended" and not event["succeeded"]:
        log = Path(event["log"])
        print(log.read_text(errors="replace")[-LOG_CHARACTERS:] if log.exists() else "", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
