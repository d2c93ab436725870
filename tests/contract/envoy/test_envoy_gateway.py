"""ports.Gateway on a real Envoy, and what only Envoy promises: seeded draws, files that outlive it."""

import http.client
import importlib.util
import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trimtab.adapters.envoy import EnvoyGateway, EnvoyPlace, command, write_start_files
from trimtab.adapters.processes.loopback import reserve
from trimtab.api.errors import SurroundingsFailed
from trimtab.api.rollout import Audience
from trimtab.ports.gateway import Split

HERE = Path(__file__).parent


def _behaviour():
    spec = importlib.util.spec_from_file_location("gateway_behaviour", HERE.parent / "gateway_behaviour.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


behaviour = _behaviour()
STABLE, CANDIDATE = behaviour.STABLE, behaviour.CANDIDATE
pytestmark = pytest.mark.xdist_group("envoy")


class EnvoyWorld:
    """Envoy in a folder of its own, with stand-in servers behind it."""

    host = "flights"

    def __init__(self, folder: Path) -> None:
        self.place = EnvoyPlace(folder, self.host, "flights", timeout_s=60.0)
        self.reserved = reserve("envoy")
        self.port = self.reserved.port
        self.servers: dict[str, tuple[subprocess.Popen[str], int]] = {}
        self.gateway = EnvoyGateway(
            self.place, self.port, lambda revision: self.servers.get(revision, (None, None))[1]
        )
        self._local = threading.local()
        write_start_files(self.place, self.port)
        self.start()

    def start(self) -> None:
        self.envoy = subprocess.Popen(
            command(self.place.bootstrap, self.place.admin_address),
            stdout=subprocess.DEVNULL,
            stderr=(self.place.directory / "log").open("a"),
        )
        self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                return self._connect().close()
            except OSError:
                assert time.monotonic() < deadline, (self.place.directory / "log").read_text()
                time.sleep(0.02)

    def kill(self) -> None:
        self.envoy.kill()
        self.envoy.wait()

    def close(self) -> None:
        self.kill()
        self.reserved.close()
        for revision in list(self.servers):
            self.retire(revision)

    def serve(self, revision: str, delay_s: float = 0.0) -> None:
        arguments = [sys.executable, str(HERE / "echo_server.py"), "0", revision, str(delay_s)]
        process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        self.servers[revision] = (process, int(process.stderr.readline().split()[1]))

    def retire(self, revision: str) -> None:
        process, _ = self.servers.pop(revision)
        process.kill()
        process.wait()
        process.stderr.close()

    def ask(self, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        connection = getattr(self._local, "connection", None) or self._connect()
        self._local.connection = connection
        connection.request("POST", "/v2/models/flights/infer", b"{}", headers or {})
        answer = connection.getresponse()
        body = answer.read()
        told = json.loads(body) if answer.status == 200 else {"revision": body.decode(), "headers": {}}
        return answer.status, told["revision"], told["headers"]

    def seen(self, revision: str) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.servers[revision][1], timeout=60)
        connection.request("GET", "/seen")
        seen = json.loads(connection.getresponse().read())
        connection.close()
        return seen

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        return connection


@pytest.fixture
def world(tmp_path):
    world = EnvoyWorld(tmp_path)
    yield world
    world.close()


class TestEnvoy(behaviour.GatewayBehaviour):
    def test_draws_decide_alike_each_time_and_a_growing_share_keeps_its_draws(self, world):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        dice = random.Random(7)
        draws = [dice.getrandbits(64) for _ in range(100)] + [0, 94, 95, 2**64 - 1]
        chosen = {}
        for share in (5, 50):
            world.gateway.apply(world.host, Split({STABLE: 100 - share, CANDIDATE: share}))
            chosen[share] = [world.ask({"x-trimtab-draw": str(draw)})[1] for draw in draws]
            assert chosen[share] == [CANDIDATE if draw % 100 >= 100 - share else STABLE for draw in draws]

    @pytest.mark.parametrize(
        ("cookies", "revision"),
        [
            ("cohort=beta", CANDIDATE),
            ("a=1; cohort=beta; b=2", CANDIDATE),
            ("a=1;cohort=beta", CANDIDATE),
            ("cohort=beta2", STABLE),
            ("my-cohort=beta", STABLE),
            ("a=cohort=beta", STABLE),
            ("cohort=alpha", STABLE),
        ],
    )
    def test_an_audience_by_cookie(self, world, cookies, revision):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        beta = Audience.model_validate({"cookie": {"name": "cohort", "value": "beta"}})
        split = Split({STABLE: 100}, chosen=CANDIDATE, audience=beta)
        world.gateway.apply(world.host, split)
        assert world.gateway.split(world.host) == split
        assert behaviour.answers(world, 5, {"cookie": cookies}) == {revision: 5}

    @pytest.mark.parametrize("by", ["header", "cookie"])
    def test_an_audience_by_hash_is_a_share_of_callers_each_of_whom_stays(self, world, by):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        callers = [
            {"x-user": f"user-{n}"} if by == "header" else {"cookie": f"x-user=user-{n}"} for n in range(300)
        ]
        led = {}
        for percent in (20, 50):
            audience = Audience.model_validate({"hash": {by: "x-user", "percent": percent}})
            split = Split({STABLE: 100 - percent, CANDIDATE: percent}, chosen=CANDIDATE, audience=audience)
            world.gateway.apply(world.host, split)
            assert world.gateway.split(world.host) == split
            first, again = ([world.ask(caller)[1] for caller in callers] for _ in range(2))
            assert first == again
            led[percent] = {n for n, revision in enumerate(first) if revision == CANDIDATE}
            sd = (300 * percent * (100 - percent)) ** 0.5 / 100
            assert abs(len(led[percent]) - 3 * percent) < 5 * sd
        assert led[20] < led[50]

    @pytest.mark.parametrize("percent", [10, 50, 80])
    def test_a_partial_mirror_is_decided_by_the_draw(self, world, percent):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}, CANDIDATE, percent))
        dice = random.Random(percent)
        draws = [dice.getrandbits(64) for _ in range(150)]
        copied = {
            str(draw)
            for draw in draws
            if (draw < 2**64 * percent / 100 if percent <= 50 else draw >= 2**64 * (100 - percent) / 100)
        }
        for draw in draws:
            world.ask({"x-trimtab-draw": str(draw), "x-request-id": str(draw)})
        behaviour.eventually(lambda: set(world.seen(CANDIDATE)) == copied)
        assert abs(len(copied) - 1.5 * percent) < 40

    def test_without_a_draw_a_partial_mirror_copies_its_share(self, world):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}, CANDIDATE, 20))
        behaviour.answers(world, 500)
        behaviour.eventually(lambda: 50 < world.gateway.sent(world.host)[CANDIDATE].mirrored < 150)

    def test_a_killed_envoy_comes_back_with_its_split_and_says_that_it_counts_anew(self, world):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        split = Split({STABLE: 90, CANDIDATE: 10}, CANDIDATE, 50)
        world.gateway.apply(world.host, split)
        behaviour.answers(world, 20)
        before = world.gateway.sent(world.host)
        world.kill()
        with pytest.raises(SurroundingsFailed):
            world.gateway.split(world.host)
        world.start()
        assert world.gateway.split(world.host) == split
        after = world.gateway.sent(world.host)
        assert after[STABLE].requests == 0
        assert after[STABLE].epoch != before[STABLE].epoch

    def test_a_revision_that_comes_back_counts_anew_under_another_epoch(self, world):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 50, CANDIDATE: 50}))
        first = world.gateway.sent(world.host)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        world.retire(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        assert set(world.gateway.sent(world.host)) == {STABLE}
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 50, CANDIDATE: 50}))
        second = world.gateway.sent(world.host)
        assert second[CANDIDATE].epoch != first[CANDIDATE].epoch
        assert second[STABLE].epoch == first[STABLE].epoch

    def test_a_server_that_moved_is_found_again(self, world):
        world.serve(STABLE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        former = world.servers[STABLE][0]
        world.serve(STABLE)
        world.gateway.readdress()
        former.kill()
        former.wait()
        former.stderr.close()
        assert behaviour.answers(world, 20) == {STABLE: 20}
        assert world.gateway.split(world.host) == Split({STABLE: 100})

    def test_only_the_model_s_paths_are_routed(self, world):
        world.serve(STABLE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        statuses = {}
        connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=60)
        verbs = [f"/v1/models/flights{verb}" for verb in ("", ":predict", ":explain")]
        routed = (*verbs, "/v2/models/flights/ready")
        others = ("/v1/models/flights2", "/v2/models/flights2/infer", "/metrics", "/trimtab/logged")
        for path in routed + others:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            statuses[path] = answer.status
        connection.close()
        assert statuses == dict.fromkeys(routed, 200) | dict.fromkeys(others, 404)

    def test_the_admin_listener_takes_no_orders_but_to_drain(self, world):
        port = int(world.place.admin_address.read_text().rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/quitquitquit")
        assert connection.getresponse().status == 403
        connection.close()
