"""A run's pod that makes others, before a real API server; pods' words are a kubelet's."""

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane.runs.conftest import PIPELINES, allow, mounted
from tests.cluster.control_plane.runs.step_pods.world import (
    EVENTS,
    EXECUTOR,
    RETRY,
    RULES,
    bounded,
    run_pod,
)
from trimtab.adapters.jobs import POD
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.step_pods import STEPS_OF, Ir, PodTasks


@pytest.fixture
def ir(tmp_path: Path) -> Ir:
    import yaml

    root = {"dag": {"tasks": {"train": {"componentRef": {"name": "comp-train"}, "retryPolicy": RETRY}}}}
    spec = {
        "root": root,
        "components": {"comp-train": {"executorLabel": "exec-train"}},
        "deploymentSpec": {"executors": {"exec-train": {"container": EXECUTOR}}},
    }
    file = tmp_path / "ir.yaml"
    file.write_text(yaml.safe_dump(spec))
    return Ir.read(file)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A right that is missing is missed at once."""
    monkeypatch.setattr("trimtab.adapters.step_pods.own.RIGHT_S", 0.5)


@pytest.fixture
def away() -> threading.Event:
    """While it is set, no call comes through to the API server."""
    return threading.Event()


@pytest.fixture
def called(plane: Any, space: str, tmp_path: Path, away: threading.Event) -> PodApi:
    """The API server, as the pod of a run calls it."""

    class Parted(PodApi):
        def _once(self, *call: Any) -> tuple[int, bytes]:
            if away.is_set():
                raise ConnectionRefusedError
            return super()._once(*call)

    allow(plane.cluster, space, PIPELINES, RULES)
    account = mounted(plane, space, PIPELINES, tmp_path / "account")
    (account / "namespace").write_text(space)
    return Parted(plane.url, account, pauses_s=[0.05])


@pytest.fixture
def tasks(
    plane: Any, space: str, called: PodApi, ir: Ir, tmp_path: Path
) -> Callable[..., tuple[PodTasks, EVENTS]]:
    def made(own: str = "flights-abcde", **more: Any) -> tuple[PodTasks, EVENTS]:
        events: EVENTS = []
        pod = plane.cluster.create(run_pod(space, own))
        more = {"pause": bounded(), "look_s": 0.05, **more}
        return PodTasks(called, ir, pod, tmp_path, events.append, **more), events

    return made


@pytest.fixture
def kubelet(plane: Any, space: str) -> Iterator[Callable[..., list[str]]]:
    """Gives each step's pod, as it comes, the next of these statuses, or has it deleted for None."""
    over, threads = threading.Event(), list[threading.Thread]()

    def play(*statuses: Mapping[str, Any] | None) -> list[str]:
        seen: list[str] = []

        def work() -> None:
            while not over.wait(0.05) and len(seen) < len(statuses):
                for pod in plane.cluster.list(POD, space, {STEPS_OF: "flights"}):
                    name = str(pod["metadata"]["name"])
                    if name in seen or len(seen) == len(statuses):
                        continue
                    status = statuses[len(seen)]
                    seen.append(name)  # before its word is told, which ends what a test waits for
                    if status is None:
                        plane.cluster.call(
                            "DELETE", f"/api/v1/namespaces/{space}/pods/{name}", {"gracePeriodSeconds": 0}
                        )
                    else:
                        plane.cluster.merge(POD, space, name, {"status": dict(status)}, status=True)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return seen

    yield play
    over.set()
    for thread in threads:
        thread.join()
