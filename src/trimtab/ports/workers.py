"""Workers: other processes, on this machine or a cluster, that run one task together."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal, Protocol, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class PeerLost(Exception):
    """What a task raises when another of its processes is gone; any other error ends the task in all of them."""


class Member(Protocol):
    """One of the processes, as the task that runs in it sees it."""

    @property
    def rank(self) -> int:
        """From 0."""

    @property
    def world(self) -> int:
        """How many there are."""

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """What this one may compute on."""

    @property
    def meeting(self) -> str:
        """Where all of them find each other, in the manner of torch.distributed's `init_method`."""

    def tell(self, event: Any) -> None:
        """Let who waits for the task hear of something that pickle takes."""

    def map(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Generator[Answer, None, None]:
        """Answers in the order of the items, by processes beside the members: wherever there is a CPU for them.

        A few are worked out ahead of what is taken. Closing it ends them.

        Args:
            function: cloudpickle takes it, and pickle its answers.

        Raises:
            TrimtabError: the function raised it.
            SurroundingsFailed: there are no such processes, or they fail.
            ExtraMissing: what makes them is not installed.
        """


class Workers(Protocol):
    def run(
        self,
        task: Callable[[Member], Any],
        count: int,
        cpus: int,
        device: Literal["auto", "cpu", "cuda"],
        hear: Callable[[Any], None],
        say: Callable[[str], None],
    ) -> Any:
        """What the task answers in the process of rank 0.

        When a process dies, all are started anew and the task with them, up to three times. When this returns or
        raises, none is left.

        Args:
            task: cloudpickle takes it.
            cpus: of each process.
            device: auto takes GPUs if there is one for each process.
            hear: is told of what the task tells, in order.
            say: is told, in a sentence, that all are started anew; and each line that one writes to its standard output
                or error, as `worker 1: …`.

        Raises:
            TrimtabError: the task raised it, in whichever process.
            SurroundingsFailed: so many cannot be had, they die again and again, or nothing is heard of them any more.
            ExtraMissing: what makes workers is not installed.
        """
