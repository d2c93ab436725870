"""The API server fails a running operator in every way it can: all goes on within a minute of the fault's end.

Four operators, one for each setting, with a namespace and a proxy of their own, are harmed side by side; then their
API server and its etcd go under all four. In each fault somebody deletes the route, of which the operator hears late,
or by a list.
"""

# ruff: noqa: F811  # fixtures are imported

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.faults.behind import plane, playing, replica  # noqa: F401  # a fixture
from tests.cluster.control_plane.faults.settings import PLAYED

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.processes import Replica
    from tests.cluster.control_plane.faults.settings import Setting
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.fault_proxy import FaultProxy

    Harm = Callable[[FaultProxy], Callable[[], None]]

pytestmark = pytest.mark.xdist_group("faults-of-processes")
CONVERGES_WITHIN_S = 180.0
"""Three times the stated minute."""
LASTS_S = 3.0
EVERY_S = 0.2
"""How often is looked: this process has the players of all of them to play."""
OURS = "modelrollouts|httproutes|inferenceservices"
WRITES = "PUT|POST|PATCH|DELETE"
ALWAYS = float("inf")
STRATEGY: dict[str, Any] = {
    "warmUp": {"requests": 1, "timeout": "60s"},
    "steps": [
        {"name": "shadow", "shadow": {}, "until": {"minDuration": "1s"}},
        {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1s"}},
    ],
    "keepPrevious": "1s",
}


def answers(status: int) -> "Harm":
    def begin(proxy: "FaultProxy") -> Callable[[], None]:
        rule = proxy.answer(WRITES, OURS, status, times=ALWAYS)
        return lambda: proxy.lift(rule)

    return begin


def hangs(proxy: "FaultProxy") -> Callable[[], None]:
    rule = proxy.hang(WRITES, OURS, times=ALWAYS)
    return lambda: proxy.lift(rule)


def loses_answers(proxy: "FaultProxy") -> Callable[[], None]:
    rule = proxy.lose_answer(WRITES, OURS, times=ALWAYS)
    return lambda: proxy.lift(rule)


def cuts_watches(proxy: "FaultProxy") -> Callable[[], None]:
    rule = proxy.cut("watch", times=ALWAYS)
    proxy.cut_all()
    return lambda: proxy.lift(rule)


def expires_watches(proxy: "FaultProxy") -> Callable[[], None]:
    rule = proxy.expire("watch", times=20)
    proxy.cut_all()
    return lambda: proxy.lift(rule)


def black_hole(proxy: "FaultProxy") -> Callable[[], None]:
    proxy.black_hole()
    return proxy.heal


def refuses(proxy: "FaultProxy") -> Callable[[], None]:
    proxy.refuse()
    return proxy.accept


HARMS: "dict[str, Harm]" = {
    "black hole": black_hole,
    "connections refused": refuses,
    "writes hang": hangs,
    "429 to every write": answers(429),
    "409 to every write": answers(409),
    "500 to every write": answers(500),
    "watches cut in the middle of a line": cuts_watches,
    "answers of writes are lost": loses_answers,
    "watches told 410": expires_watches,
}
RESTARTS = ("API server killed and restarted", "etcd killed and restarted")


@dataclass
class Harmed:
    """One operator and its rollout.

    Attributes:
        took: seconds from each fault's end until all was as wished.
    """

    scene: "Scene"
    proxy: "FaultProxy"
    operator: "Replica"
    took: dict[str, float] = field(default_factory=dict)
    version: int = 1

    def begins(self) -> None:
        """A person wishes for another model, and the operator has begun with it."""
        self.version += 1
        self.scene.wish(str(self.version))
        self.until("it has begun", lambda: self.scene.version("candidate") == str(self.version))

    def loses_its_route(self) -> str:
        """Somebody deletes the route; which one it was."""
        from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE

        route = self.scene.route
        assert route is not None
        self.scene.cluster.delete(HTTP_ROUTE, self.scene.namespace, route["metadata"]["name"])
        return str(route["metadata"]["uid"])

    def converges(self, gone: str, name: str, healed: float) -> None:
        scene, wanted = self.scene, str(self.version)

        def as_wished() -> bool:
            self.operator.look_after()
            if scene.version("stable") != wanted or scene.servers != {wanted}:
                return False
            route = scene.route
            alone = scene.split.weights == {scene.revision("stable"): 100}
            return route is not None and route["metadata"]["uid"] != gone and alone

        self.until(f"after {name}", as_wished, CONVERGES_WITHIN_S)
        self.took[name] = round(time.monotonic() - healed, 1)

    def until(self, what: str, holds: Callable[[], object], within_s: float = 90.0) -> None:
        from tests.cluster.kube.poll import eventually

        eventually(what, holds, within_s, EVERY_S)

    def suffers(self, name: str) -> None:
        self.begins()
        end = HARMS[name](self.proxy)
        until = time.monotonic() + LASTS_S
        self.until(f"{name}: it has lasted", lambda: time.monotonic() > until)
        gone = self.loses_its_route()
        end()
        self.converges(gone, name, time.monotonic())


@contextmanager
def harmed(plane: "ControlPlane", folder: Path, setting: "Setting") -> Iterator[Harmed]:
    with playing(plane, setting) as scene, replica(plane, scene.namespace, folder) as (proxy, operator):
        yield Harmed(scene, proxy, operator)


def restart(plane: "ControlPlane", name: str) -> None:
    part = plane.apiserver if name == RESTARTS[0] else plane.etcd
    part.kill()
    part.start()
    plane.wait_until_ready()


def test_all_goes_on_after_a_fault_of_the_api_server(
    plane: "ControlPlane",
    tmp_path: Path,
    fault: "Row",
) -> None:
    holds = "converges ≤ 60 s after its end; an object deleted during the gap is noticed"
    for setting in PLAYED:
        fault.says(f"API server: {', '.join((*HARMS, *RESTARTS))}", holds, str(setting))
    fault.cases(len(HARMS) + len(RESTARTS))
    with ExitStack() as all_of_it, ThreadPoolExecutor(len(PLAYED)) as pool:
        everyone = [
            all_of_it.enter_context(harmed(plane, tmp_path / f"{number}", setting))
            for number, setting in enumerate(PLAYED)
        ]

        def suffer(one: Harmed) -> None:
            one.scene.serve_first(
                strategy=STRATEGY,
                route={
                    "parentRefs": [{"name": "public", "namespace": "gateways"}],
                    "hostnames": [f"{one.scene.namespace}.example.com"],
                },
            )
            for name in HARMS:
                one.suffers(name)

        list(pool.map(suffer, everyone))
        for name in RESTARTS:
            list(pool.map(Harmed.begins, everyone))
            for one in everyone:
                one.proxy.refuse()  # what follows is not seen by an operator, however fast it is
            restart(plane, name)
            gone = [one.loses_its_route() for one in everyone]
            for one in everyone:
                one.operator.look_after()
                one.proxy.accept()
            healed = time.monotonic()
            list(pool.map(partial(Harmed.converges, name=name, healed=healed), everyone, gone))
    for setting, one in zip(PLAYED, everyone, strict=True):
        told = ", ".join(f"{name} ({seconds} s)" for name, seconds in one.took.items())
        fault.says(f"API server: {told}", holds, str(setting))
        assert set(one.took) == {*HARMS, *RESTARTS}
        assert max(one.took.values()) < CONVERGES_WITHIN_S, one.took
