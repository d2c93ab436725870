"""What befalls a training in workers of Ray, and how it is told: hangs, deaths without end, a full disk, prints."""

import signal

import pytest

from tests.contract.ray.learners import Begin, Learner

pytestmark = pytest.mark.xdist_group("ray")

SILENCE_S = 40
HANGS = "while self.calls == 14: time.sleep(1)"
SLOW = (
    "self.training or self.calls > 13 or not torch.distributed.is_initialized() "
    f"or time.sleep({0.55 * SILENCE_S})"
)


@pytest.fixture(scope="module")
def idle(begin: Begin) -> dict[str, Learner]:
    """Two that for the most part wait, so that they do it at the same time."""
    lines = {"hanging": HANGS, "slow": SLOW}
    return {name: begin(name, 2, line, silence_s=SILENCE_S) for name, line in lines.items()}


def test_workers_that_hang_are_ended_and_it_is_told_where(idle: dict[str, Learner], begin: Begin) -> None:
    hanging = idle["hanging"]
    assert hanging.ended() == 4, hanging.lines
    message, remedy = hanging.lines[-2:]
    assert "training.workers: 2: nothing is heard of them for 40 s, so they are ended: " in message
    assert (
        "worker 0 is at model.py, line 15, in forward; worker 1 is at peers.py, line " in message
    )  # it waits for 0
    assert "look there for something that waits; run again, and it goes on from its last checkpoint" in remedy
    assert begin.checkpoints("hanging")
    assert hanging.left() == []


def test_validation_rows_that_take_longer_than_silence_may_are_no_hang(idle: dict[str, Learner]) -> None:
    slow = idle["slow"]
    assert slow.ended() == 0, slow.lines
    assert sum(line.startswith("epoch ") for line in slow.lines) == 4
    assert not any("anew" in line for line in slow.lines)


def test_a_worker_that_leaks_and_is_killed_each_time_is_told_after_the_last_try(begin: Begin) -> None:
    leak = "self.kept = [*getattr(self, 'kept', ()), torch.ones(1 << 23)]"
    killed = (
        f"{leak}; len(self.kept) < 5 or os.kill(os.getpid(), 9)"  # as the kernel does when memory is full
    )
    dying = begin("dying", 2, killed)
    assert dying.ended() == 4, dying.lines
    message, remedy = dying.lines[-2:]
    assert "training.workers: 2: one has died more than 3 times: " in message
    assert "was killed" in message
    assert "often out of memory: give it more, or lower training.batchRows" in remedy
    assert sum("all 2 are started anew" in line for line in dying.lines) == 3
    assert begin.checkpoints("dying")
    assert dying.left() == []


def test_workers_that_ray_kills_for_memory_are_told_so(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "RAY_memory_usage_threshold", "0.01"
    )  # of the machine's, which has more in use at any time
    hungry = begin("hungry", 2, "time.sleep(0.2)")
    assert hungry.ended() == 4, hungry.lines
    message, remedy = hungry.lines[-2:]
    assert "out of memory: Ray killed " in message
    assert "remedy: give each worker more memory, or lower training.batchRows; run again" in remedy
    assert hungry.left() == []


def test_a_disk_that_is_full_is_told_at_once_and_by_its_own_sentence(begin: Begin) -> None:
    full = "self.calls == 14 and __import__('resource').setrlimit(1, (1 << 12, 1 << 12))"
    writing = begin("writing", 2, full)
    assert writing.ended() == 4, writing.lines
    assert "cannot be written (File too large)" in writing.lines[-2]
    assert "free some disk" in writing.lines[-1]
    assert not any("anew" in line for line in writing.lines)
    assert begin.checkpoints("writing")
    assert writing.left() == []


def test_what_model_py_writes_in_a_worker_reaches_who_runs_it(begin: Begin) -> None:
    said = "print('call', self.calls)"
    warned = "__import__('warnings').warn('beware')"
    raw = "os.write(2, b'not of Python\\n')"
    flood = "[print('flood', i) for i in range(3000)]"
    once = f"self.calls == 3 and ({said}, {warned}, {raw})"
    telling = begin("telling", 2, f"{once}; self.calls == 20 and (time.sleep(2), {flood})")
    assert telling.ended() == 0, telling.lines
    for rank in (0, 1):
        own = [line for line in telling.lines if line.startswith(f"worker {rank}: ")]
        assert f"worker {rank}: call 3" in own
        assert f"worker {rank}: not of Python" in own
        assert any("UserWarning: beware" in line for line in own)
        assert f"worker {rank}: flood 2999" in own
        assert any("lines left out" in line for line in own)
        assert len(own) < 80, own


def test_one_worker_apart_learns_the_bits_of_this_process(begin: Begin) -> None:
    here, apart = begin("here", 1), begin("apart", 1, where="beside")
    assert here.ended() == apart.ended() == 0, apart.lines
    assert here.digest == apart.digest != "nothing"
    assert (begin.root / "here.ray").read_text() == "False"
    assert (begin.root / "apart.ray").read_text() == "True"


def test_a_hang_in_this_process_ends_by_a_signal_and_the_checkpoint_stands(begin: Begin) -> None:
    hanging = begin("alone", 1, HANGS)
    hanging.until("epoch 1 of 4")
    hanging.process.send_signal(signal.SIGINT)
    assert hanging.ended() != 0
    assert begin.checkpoints("alone")
    assert hanging.left() == []
