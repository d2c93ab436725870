"""What every ports.Gateway does, whatever its technology; each adapter's test inherits it.

The adapter's fixture `world` is a `World`: a gateway with live revisions behind it.
"""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from trimtab.api.rollout import Audience
from trimtab.ports.gateway import Gateway, RouteRefused, Split

STABLE, CANDIDATE, THIRD = "aaaa1111", "bbbb2222", "cccc3333"
BETA = Audience.model_validate({"header": {"name": "X-Cohort", "value": "beta"}})
PREVIEW_HOST = "preview.example.com"


class World(Protocol):
    """A gateway and its servers; `ask` returns (status, revision that answered, headers that it saw)."""

    gateway: Gateway
    host: str

    def serve(self, revision: str, delay_s: float = 0.0) -> None: ...
    def retire(self, revision: str) -> None: ...
    def ask(self, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        """One request, to the model's host or to the one that header `host` names."""

    def seen(self, revision: str) -> dict[str, int]:
        """Requests by id that the revision's server got, copies too."""


def answers(world: World, requests: int, headers: dict[str, str] | None = None) -> Counter[str]:
    return Counter(world.ask(headers)[1] for _ in range(requests))


class Load:
    """Constant requests from a few threads, and every answer that was not 200."""

    def __init__(self, world: World, threads: int = 3) -> None:
        self.world = world
        self.requests = 0
        self.failed: list[str] = []
        self._end = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._threads = threads

    def __enter__(self) -> "Load":
        for _ in range(self._threads):
            self._pool.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._pool.shutdown()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                status, revision, _ = self.world.ask()
            except OSError as error:
                status, revision = 0, repr(error)
            self.requests += 1
            if status != 200:
                self.failed.append(f"{status} {revision}")

    def wait_for(self, requests: int) -> None:
        until = self.requests + requests
        deadline = time.monotonic() + 60
        while self.requests < until and time.monotonic() < deadline:
            time.sleep(0.002)


def eventually(done, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


class GatewayBehaviour:
    """Inherit in a module that defines fixture `world`."""

    def test_a_host_without_a_split_has_no_route(self, world: World):
        assert world.gateway.split(world.host) is None
        assert world.ask()[0] == 404

    def test_what_was_applied_is_what_is_seen(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        for split in (
            Split({STABLE: 100}),
            Split({STABLE: 100}, CANDIDATE, 100),
            Split({STABLE: 100}, CANDIDATE, 30),
            Split({STABLE: 100}, CANDIDATE, 70),
            Split({STABLE: 95, CANDIDATE: 5}),
            Split({STABLE: 100}, chosen=CANDIDATE, audience=BETA),
            Split({STABLE: 100}, preview=CANDIDATE, preview_host=PREVIEW_HOST),
            Split({CANDIDATE: 100}),
        ):
            world.gateway.apply(world.host, split)
            assert world.gateway.split(world.host) == split

    def test_weights_are_the_shares_of_requests(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 70, CANDIDATE: 30}))
        shares = answers(world, 600)
        assert shares[STABLE] + shares[CANDIDATE] == 600
        assert abs(shares[CANDIDATE] - 180) < 5 * (600 * 0.3 * 0.7) ** 0.5

    def test_a_change_is_in_effect_when_apply_returns(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        for turn in range(20):
            whole = (STABLE, CANDIDATE)[turn % 2]
            world.gateway.apply(world.host, Split({whole: 100}))
            assert answers(world, 5) == {whole: 5}

    def test_a_full_mirror_copies_each_request_once_and_its_answer_is_never_seen(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}, CANDIDATE, 100))
        ids = {f"id-{n}" for n in range(200)}
        assert {world.ask({"x-request-id": name})[1] for name in ids} == {STABLE}
        eventually(lambda: set(world.seen(CANDIDATE)) == ids)
        assert world.seen(CANDIDATE) == world.seen(STABLE) == dict.fromkeys(ids, 1)
        eventually(lambda: not world.gateway.sent(world.host)[CANDIDATE].pending)
        sent = world.gateway.sent(world.host)
        assert (sent[STABLE].requests, sent[STABLE].mirrored) == (200, 0)
        assert (sent[CANDIDATE].requests, sent[CANDIDATE].mirrored, sent[CANDIDATE].mirrored_failed) == (
            0,
            200,
            0,
        )

    def test_the_client_s_request_id_reaches_the_server(self, world: World):
        world.serve(STABLE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        name = "0b5b3c1e-9f3a-4c3e-8f5a-3d2a1b0c9d8e"
        assert world.ask({"x-request-id": name})[2]["x-request-id"] == name

    def test_an_audience_by_header_is_answered_by_the_candidate_and_nobody_else_is(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}, chosen=CANDIDATE, audience=BETA))
        for headers, revision in (
            ({"x-cohort": "beta"}, CANDIDATE),
            ({"X-COHORT": "beta"}, CANDIDATE),
            ({"x-cohort": "beta2"}, STABLE),
            ({"x-cohort": "Beta"}, STABLE),
            ({"x-cohorts": "beta"}, STABLE),
            ({}, STABLE),
        ):
            assert answers(world, 10, headers) == {revision: 10}, headers
        sent = world.gateway.sent(world.host)
        assert (sent[CANDIDATE].requests, sent[STABLE].requests) == (20, 40)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        assert answers(world, 10, {"x-cohort": "beta"}) == {STABLE: 10}

    def test_a_preview_answers_a_second_host_and_no_request_of_the_first(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        before = Split({STABLE: 100}, preview=CANDIDATE, preview_host=PREVIEW_HOST)
        world.gateway.apply(world.host, before)
        assert answers(world, 20) == {STABLE: 20}
        assert answers(world, 20, {"host": PREVIEW_HOST}) == {CANDIDATE: 20}
        world.gateway.apply(world.host, Split({CANDIDATE: 100}))
        assert answers(world, 20) == {CANDIDATE: 20}
        assert world.gateway.split(world.host) == Split({CANDIDATE: 100})

    def test_no_request_fails_while_the_split_changes(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        with Load(world) as load:
            for turn in range(12):
                world.gateway.apply(world.host, Split({STABLE: 100}, CANDIDATE, 100 if turn % 2 else 40))
                load.wait_for(10)
                share = 5 + 7 * turn
                world.gateway.apply(world.host, Split({STABLE: 100 - share, CANDIDATE: share}))
                load.wait_for(10)
                more = (
                    {"chosen": CANDIDATE, "audience": BETA},
                    {"preview": CANDIDATE, "preview_host": PREVIEW_HOST},
                )[turn % 2]
                world.gateway.apply(world.host, Split({STABLE: 100}, **more))
                load.wait_for(10)
        assert load.failed == [], f"{len(load.failed)} of {load.requests}: {load.failed[:5]}"
        assert load.requests >= 360

    def test_no_request_fails_while_revisions_come_and_go(self, world: World):
        world.serve(STABLE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        with Load(world) as load:
            for _ in range(4):
                world.serve(THIRD)
                world.gateway.apply(world.host, Split({STABLE: 100}, THIRD, 100))
                load.wait_for(20)
                world.gateway.apply(world.host, Split({STABLE: 50, THIRD: 50}))
                load.wait_for(20)
                world.gateway.apply(world.host, Split({STABLE: 100}))
                load.wait_for(20)
                # who ends a server waits for what was sent to it; here it is killed
                eventually(lambda: not world.gateway.sent(world.host)[THIRD].pending)
                world.retire(THIRD)
                world.gateway.apply(world.host, Split({STABLE: 100}))
        assert load.failed == [], f"{len(load.failed)} of {load.requests}: {load.failed[:5]}"

    def test_a_mirror_that_is_gone_hurts_nobody(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}, CANDIDATE, 100))
        world.retire(CANDIDATE)
        assert answers(world, 50) == {STABLE: 50}
        eventually(lambda: world.gateway.sent(world.host)[CANDIDATE].mirrored_failed == 50)
        sent = world.gateway.sent(world.host)[STABLE]
        assert (sent.requests, sent.failed) == (50, 0)

    def test_a_slow_mirror_slows_nobody_and_its_copies_are_pending_until_they_end(self, world: World):
        world.serve(STABLE)
        world.serve(CANDIDATE, delay_s=8.0)
        world.gateway.apply(world.host, Split({STABLE: 100}, CANDIDATE, 100))
        assert answers(world, 5) == {STABLE: 5}
        sent = world.gateway.sent(world.host)
        assert sent[STABLE].requests == 5
        assert (sent[CANDIDATE].pending, sent[CANDIDATE].mirrored) == (5, 0)
        eventually(lambda: world.gateway.sent(world.host)[CANDIDATE].mirrored == 5)
        eventually(lambda: world.gateway.sent(world.host)[CANDIDATE].pending == 0)

    def test_applying_the_same_split_again_changes_nothing(self, world: World):
        world.serve(STABLE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        answers(world, 10)
        before = world.gateway.sent(world.host)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        assert world.gateway.sent(world.host) == before

    @pytest.mark.parametrize(
        "split",
        [
            Split({STABLE: 90}),
            Split({STABLE: 110, CANDIDATE: -10}),
            Split({STABLE: 50, "0dd00000": 50}),
            Split({STABLE: 100}, "0dd00000", 10),
            Split({STABLE: 100}, CANDIDATE, 101),
            Split({STABLE: 100}, chosen="0dd00000", audience=BETA),
            Split({STABLE: 100}, preview="0dd00000", preview_host=PREVIEW_HOST),
        ],
        ids=[
            "short of 100",
            "negative",
            "unknown revision",
            "unknown mirror",
            "mirror above 100",
            "unknown in the audience",
            "unknown in the preview",
        ],
    )
    def test_a_split_that_cannot_be_is_refused_and_traffic_stays(self, world: World, split: Split):
        world.serve(STABLE)
        world.serve(CANDIDATE)
        world.gateway.apply(world.host, Split({STABLE: 100}))
        with pytest.raises(RouteRefused):
            world.gateway.apply(world.host, split)
        assert world.gateway.split(world.host) == Split({STABLE: 100})
        assert answers(world, 5) == {STABLE: 5}
