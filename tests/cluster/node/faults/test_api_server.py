"""The API server fails a running operator in every way it can: all goes on within a minute of the fault's end."""

# ruff: noqa: F811  # fixtures are imported

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.faults.behind import namespace, plane, replica, scene  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.fault_proxy import FaultProxy

    Harm = Callable[[FaultProxy, ControlPlane], Callable[[], None]]

pytestmark = pytest.mark.xdist_group("faults-of-processes")
CONVERGES_WITHIN_S = 180.0
"""Three times the stated minute."""
LASTS_S = 3.0
OURS = "modelrollouts|httproutes|inferenceservices"


def answers(status: int) -> "Harm":
    def begin(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
        rule = proxy.answer("PUT|POST|PATCH|DELETE", OURS, status, times=float("inf"))
        return lambda: proxy.lift(rule)

    return begin


def hangs(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
    rule = proxy.hang("PUT|POST|PATCH|DELETE", OURS, times=float("inf"))
    return lambda: proxy.lift(rule)


def loses_answers(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
    rule = proxy.lose_answer("PUT|POST|PATCH|DELETE", OURS, times=float("inf"))
    return lambda: proxy.lift(rule)


def cuts_watches(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
    rule = proxy.cut("watch", times=float("inf"))
    proxy.cut_all()
    return lambda: proxy.lift(rule)


def expires_watches(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
    rule = proxy.expire("watch", times=20)
    proxy.cut_all()
    return lambda: proxy.lift(rule)


def black_hole(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
    proxy.black_hole()
    return proxy.heal


def refuses(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
    proxy.refuse()
    return proxy.accept


def restarts_api_server(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
    plane.apiserver.stop()

    def again() -> None:
        plane.apiserver.start()
        plane.wait_until_ready()

    return again


def restarts_etcd(proxy: "FaultProxy", plane: "ControlPlane") -> Callable[[], None]:
    plane.etcd.kill()

    def again() -> None:
        plane.etcd.start()
        plane.wait_until_ready()

    return again


HARMS: "dict[str, Harm]" = {
    "409 to every write": answers(409),
    "429 to every write": answers(429),
    "500 to every write": answers(500),
    "writes hang": hangs,
    "answers of writes are lost": loses_answers,
    "watches cut in the middle of a line": cuts_watches,
    "watches told 410": expires_watches,
    "black hole": black_hole,
    "connections refused": refuses,
    "API server restarted": restarts_api_server,
    "etcd killed and restarted": restarts_etcd,
}


def test_all_goes_on_after_a_fault_of_the_api_server(
    plane: "ControlPlane",
    namespace: str,
    scene: "Scene",
    tmp_path: Path,
    fault: "Row",
) -> None:
    fault.says(
        f"API server: {', '.join(HARMS)}; each in a rollout for {LASTS_S:g} s",
        "converges ≤ 60 s after its end",
    )
    fault.cases(len(HARMS))
    took: dict[str, float] = {}
    with replica(plane, namespace, tmp_path / "one") as (proxy, operator):
        scene.serve_first()
        for version, (name, begin) in enumerate(HARMS.items(), start=2):
            wish(scene, str(version))
            end = begin(proxy, plane)
            until = time.monotonic() + LASTS_S
            scene.until(f"{name}: it has lasted", lambda until=until: time.monotonic() > until)  # type: ignore[misc]
            end()
            healed = time.monotonic()

            def promoted(version: int = version) -> bool:
                operator.look_after()
                return scene.version("stable") == str(version) and scene.servers == {str(version)}

            scene.until(f"after {name}", promoted, CONVERGES_WITHIN_S)
            took[name] = round(time.monotonic() - healed, 1)
    fault.says(
        f"API server: {', '.join(f'{name} ({s} s)' for name, s in took.items())}",
        "converges ≤ 60 s after its end",
    )
    assert max(took.values()) < CONVERGES_WITHIN_S, took


def wish(scene: "Scene", version: str) -> None:
    """A person writes another model, and the operator has begun with it."""
    scene.wish(version)
    scene.until("it has begun", lambda: scene.version("candidate") == version)
