"""One timeout a while for a server that hangs; nothing for one that refuses."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from threading import Barrier

import pytest

from operators.drift.breaker import FIRST_PAUSE_S, LAST_PAUSE_S, Breaker, Breakers, ServerHangs
from operators.drift.metrics import Metrics
from trimtab.api.errors import InputRefused, SurroundingsFailed

TIMEOUT_S = 10.0


class Server:
    """Answers, refuses or hangs; its time is the test's."""

    def __init__(self) -> None:
        self.now_s, self.calls, self.does = 0.0, 0, "hang"
        self.told: list[bool] = []
        self.breaker = Breaker("mlflow 'main'", self.told.append, lambda: self.now_s)

    def ask(self) -> None:
        with self.breaker.passing():
            self.calls += 1
            if self.does == "hang":
                self.now_s += TIMEOUT_S
                raise SurroundingsFailed("timed out")
            if self.does == "refuse":
                raise SurroundingsFailed("connection refused")
            if self.does == "say no":
                raise InputRefused("no such model")


def test_a_server_that_hangs_costs_one_timeout_a_pause_and_the_pauses_double() -> None:
    server, asked = Server(), []
    for _ in range(300):  # a look a second
        before = server.calls
        with pytest.raises(ServerHangs, match="mlflow 'main' hangs"):
            server.ask()
        if server.calls > before:
            asked.append(server.now_s)
        server.now_s += 1
    pauses = [round(b - a - TIMEOUT_S) for a, b in pairwise(asked)]
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, LAST_PAUSE_S]
    assert set(pauses[2:]) == {LAST_PAUSE_S}
    assert server.told == [True]


def test_its_sentence_is_the_same_at_each_look() -> None:
    server, said = Server(), set()
    for _ in range(30):
        with pytest.raises(ServerHangs) as failed:
            server.ask()
        said.add(str(failed.value))
        server.now_s += 5
    assert len(said) == 1


@pytest.mark.parametrize("does", ["answer", "say no", "refuse"])
def test_whatever_comes_in_time_ends_it(does: str) -> None:
    server = Server()
    with pytest.raises(ServerHangs):
        server.ask()
    server.does = does
    with pytest.raises(ServerHangs):
        server.ask()
    assert server.calls == 1
    server.now_s += FIRST_PAUSE_S
    for number in (2, 3, 4):
        with suppress(SurroundingsFailed, InputRefused):
            server.ask()
        assert server.calls == number
    assert server.told == [True, False]


def test_a_server_that_refuses_is_asked_each_time() -> None:
    server = Server()
    server.does = "refuse"
    for number in range(5):
        with pytest.raises(SurroundingsFailed, match="refused"):
            server.ask()
        assert server.calls == number + 1
    assert server.told == []


def test_calls_that_hang_together_count_once_and_one_tries_again() -> None:
    now_s, together, tries = [0.0], Barrier(4), Barrier(2)
    breaker = Breaker("kubeflow 'main'", clock_s=lambda: now_s[0])

    def hang() -> None:
        with breaker.passing():
            together.wait(10)
            now_s[0] = TIMEOUT_S
            raise SurroundingsFailed("timed out")

    with ThreadPoolExecutor(5) as pool:
        for one in [pool.submit(hang) for _ in range(4)]:
            assert isinstance(one.exception(10), ServerHangs)
        now_s[0] += FIRST_PAUSE_S

        def answer() -> None:
            with breaker.passing():
                tries.wait(10)
                tries.wait(10)

        trying = pool.submit(answer)
        tries.wait(10)
        with pytest.raises(ServerHangs), breaker.passing():
            pytest.fail("two tried at once")
        tries.wait(10)
        assert trying.result(10) is None
    with breaker.passing():
        pass


def test_each_server_has_its_own_and_a_series() -> None:
    metrics = Metrics()
    breakers = Breakers(metrics.hangs)
    assert breakers.of("mlflow", "a") is breakers.of("mlflow", "a")
    assert breakers.of("mlflow", "a") is not breakers.of("kubeflow", "a")
    metrics.hangs("mlflow", "a", True)
    assert b'trimtab_provider_hangs{kind="mlflow",provider="a"} 1.0' in metrics.text()
    metrics.hangs("mlflow", "a", False)
    assert b'trimtab_provider_hangs{kind="mlflow",provider="a"} 0.0' in metrics.text()
