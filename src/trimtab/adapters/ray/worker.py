"""What runs in a process of Ray Train: the task of the room, and word of how it ended."""

import os
import socket
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trimtab.adapters.ray.memory_kills import note
from trimtab.adapters.ray.output import to_room
from trimtab.adapters.ray.ray_data import mapped
from trimtab.adapters.ray.room import ANSWER, FAILURE, TASK, Room
from trimtab.adapters.ray.whereabouts import tell_when_asked
from trimtab.api.errors import SurroundingsFailed, TrimtabError
from trimtab.ports.workers import Answer, Item, PeerLost

BEGAN = "trimtab workers began"
TOLD = "trimtab task told"


@dataclass(frozen=True, slots=True)
class RayMember:
    """`trimtab.ports.workers.Member`."""

    rank: int
    world: int
    device: Literal["cpu", "cuda"]
    meeting: str
    room: Room

    def tell(self, event: Any) -> None:
        self.room.tell((TOLD, event))

    def map(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Generator[Answer, None, None]:
        return mapped(function, items, self.world)


def work(given: Mapping[str, Any]) -> None:
    """One worker's part. Its error is left in the room, and ends all of them; that another is gone does not."""
    from ray import train

    context, room = train.get_context(), Room(Path(given["room"]))
    rank, world = context.get_world_rank(), context.get_world_size()
    try:
        if not room.has(TASK):
            raise SurroundingsFailed(
                f"training.workers: worker {rank} does not see {room.folder}",
                remedy="give every node of the Ray cluster the volume on which the project's .trimtab lies",
            )
        note(room.folder, f"worker {rank}")
        to_room(room.folder, f"worker {rank}")
        tell_when_asked(room.folder, rank)
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else DDP advises on its own flags
        task = room.get(TASK)  # imports what it needs
        if rank == 0:
            room.tell((BEGAN, None))
        meeting = _meeting(room, alone=context.get_local_world_size() == world)
        answer = task(RayMember(rank, world, given["device"], meeting, room))
    except PeerLost as error:
        room.lose(rank, str(error))
        raise
    except TrimtabError as error:
        with suppress(SurroundingsFailed):  # the disk is full: Ray takes it
            room.put(FAILURE, error)
        raise
    except Exception:
        with suppress(SurroundingsFailed):
            room.put(FAILURE, RuntimeError(f"in worker {rank}: {traceback.format_exc()}"))
        raise
    if rank == 0:
        room.put(ANSWER, answer)


def _meeting(room: Room, *, alone: bool) -> str:
    """Where the processes find each other: a file on one machine, where nothing then listens to others; else a port."""
    from ray import train, util
    from ray.train.collective import broadcast_from_rank_zero

    if alone:
        os.environ["GLOO_SOCKET_IFNAME"] = next(
            name for _, name in socket.if_nameindex() if name.startswith("lo")
        )
    made = None
    if train.get_context().get_world_rank() == 0:
        if alone:
            made = f"file://{room.folder}/meeting-{os.getpid()}"
        else:
            with socket.socket() as any_port:
                any_port.bind(("", 0))
                here = util.get_node_ip_address()  # type: ignore[no-untyped-call]  # ray's own
                made = f"tcp://{here}:{any_port.getsockname()[1]}"
    found: str = broadcast_from_rank_zero(made)
    return found
