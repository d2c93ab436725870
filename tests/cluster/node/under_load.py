"""A ModelRollout under a constant load, as a test sees it: what is sent, who answers, what the proxies count."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.node.shares import Note, assert_share, tell_load
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.load_run import Ended, RunningLoad
    from tests.cluster.node.exported import Models
    from tests.cluster.node.rollouts import Rollout

RATE = 300
LONG = "10m"


def begin(rollout: "Rollout", models: "Models", **more: Any) -> str:
    """Let v1 be served; its revision."""
    from tests.cluster.node import rollouts

    wished = rollouts.model(models, "v1")
    rollout.node.cluster.create(rollouts.rollout(rollout.namespace, wished, **more))
    rollout.eventually("v1 is served", lambda: rollout.is_ready() and rollout.serves_alone("1"))
    return rollout.revision()


def start_load(
    gateway: "Gateway", rollout: "Rollout", models: "Models", hostname: str = "", rate: float = RATE
) -> "RunningLoad":
    """V2 requests of real flights.

    Args:
        hostname: default that of the rollout's namespace.
    """
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.node.served import MODEL, host

    url = f"http://{gateway.address}/v2/models/{MODEL}/infer"
    named = hostname or host(rollout.namespace)
    return RunningLoad(rollout.node, url, host=named, bodies=models.requests, rate=rate)


def measured(
    gateway: "Gateway",
    rollout: "Rollout",
    note: Note,
    seconds: float,
    *,
    candidate: int = 0,
    mirror: int = 0,
    rate: float | None = None,
) -> None:
    """Compare what the proxies count in a step with what was wished, over so many seconds' requests."""
    from tests.cluster.kube.poll import eventually

    step, before, sent = rollout.step(), counted(gateway, rollout), int((rate or RATE) * seconds)
    eventually("enough requests", lambda: total(counted(gateway, rollout)) - total(before) >= sent, 60, 0.5)
    after = counted(gateway, rollout)
    moved = {name: count - before.get(name, 0) for name, count in after.items()}
    assert rollout.step() == step, f"step {step} was over before it was measured"
    if candidate:
        to_candidate = moved.get(rollout.revision("candidate"), 0)
        assert_share(note, f"{step}: answered by the candidate", to_candidate, total(moved), candidate)
    if mirror:
        assert_share(note, f"{step}: copied to the candidate", moved["mirror"], total(moved), mirror)


def counted(gateway: "Gateway", rollout: "Rollout") -> dict[str, int]:
    """Requests by revision, and copies, as the proxies counted them."""
    from tests.cluster.node.served import MODEL
    from trimtab.adapters.children import REVISION

    copies = gateway.mirrored(rollout.namespace, f"{MODEL}-trimtab")
    by_pod = gateway.sent(rollout.namespace, f"{MODEL}-trimtab")
    found: dict[str, int] = {"mirror": copies}
    for pod in rollout.node.list("pods", rollout.namespace, REVISION):
        revision = pod["metadata"]["labels"][REVISION]
        found[revision] = found.get(revision, 0) + by_pod.get(pod["status"].get("podIP", ""), 0)
    return found


def failures(gateway: "Gateway", rollout: "Rollout", revision: str) -> int:
    """Requests of a revision's pods that a proxy could not bring to an answer, or that were answered by an error."""
    from tests.cluster.node.served import MODEL
    from trimtab.adapters.children import REVISION

    by_pod = gateway.failed(rollout.namespace, f"{MODEL}-trimtab")
    pods = rollout.node.list("pods", rollout.namespace, f"{REVISION}={revision}")
    return sum(by_pod.get(pod["status"].get("podIP", ""), 0) for pod in pods)


def total(counts: Mapping[str, int]) -> int:
    return sum(count for name, count in counts.items() if name != "mirror")


def answered_by(load: "RunningLoad", revisions: set[str], seconds: int = 2) -> None:
    """Wait for so many whole seconds in which these and no others answered."""
    from tests.cluster.kube.poll import eventually

    at = len(load.seconds)

    def alone() -> bool:
        newest = load.seconds[at:][-seconds:]
        return len(newest) == seconds and all(set(one["revisions"]) == revisions for one in newest)

    eventually(f"{revisions} answer alone", alone, 30)


def assert_no_failure(ended: "Ended", note: Note, rate: float | None = None) -> None:
    assert_kept_up(ended, note, rate)
    assert not ended.failed, ended.failures[:5]


def assert_kept_up(ended: "Ended", note: Note, rate: float | None = None) -> None:
    """The load was what it was to be: `rate` requests a second, default RATE."""
    rate = RATE if rate is None else rate
    tell_load(note, ended)
    assert ended.sent >= 0.95 * rate * ended.elapsed_s


def rejected(rollout: "Rollout") -> dict[str, str]:
    """Why a revision stays out."""
    return {one["revision"]: one["because"] for one in rollout.status.get("rejected", ())}


def kill(revision: str) -> None:
    """End a revision's model servers as a fault of memory would."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"--revision={revision}\0" in command.read_text():
                os.kill(int(command.parent.name), signal.SIGKILL)


def scale(rollout: "Rollout", revision: str, replicas: int) -> None:
    """As somebody who wants to save a server."""
    name = rollout.servers()[revision]["metadata"]["name"]
    rollout.node.cluster.merge(
        INFERENCE_SERVICE, rollout.namespace, name, {"spec": {"predictor": {"minReplicas": replicas}}}
    )


def least(rollout: "Rollout", revision: str) -> int:
    found: int = rollout.servers()[revision]["spec"]["predictor"]["minReplicas"]
    return found
