"""What two workers ask of `Member.map`, in a process of its own: python mapping.py ROOT. Says what they found."""

import itertools
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from trimtab.adapters.ray import RayWorkers
from trimtab.api.errors import InputRefused, TrimtabError
from trimtab.ports.workers import Member

ITEMS = 40


def when_its_turn_is_late(root: Path, item: int) -> int:
    """Even ones wait until the next one has been answered."""
    until = time.monotonic() + 60
    while item % 2 == 0 and not (root / f"{item + 1}").exists() and time.monotonic() < until:
        time.sleep(0.01)
    (root / f"{item}").touch()
    return item * item


def refused(item: int) -> int:
    if item == 3:
        raise InputRefused("part-3 of the table is gone", remedy="run again")
    return item


def broken(item: int) -> float:
    return 1 / (item - 2)


def noted(root: Path, item: int) -> int:
    (root / f"{item}").touch()
    return item


def raised(member: Member, function: Callable[[int], Any]) -> str:
    try:
        list(member.map(function, range(6)))
    except TrimtabError as error:
        return f"{type(error).__name__}: {error}"
    except RuntimeError as error:
        return f"{str(error).splitlines()[0]} … {str(error).splitlines()[-1]}"
    return "nothing"


def ask(root: Path, member: Member) -> dict[str, Any]:
    own = root / str(member.rank)
    for folder in (own / "late", own / "noted"):
        folder.mkdir(parents=True)
    late = partial(when_its_turn_is_late, own / "late")
    told = {"none": list(member.map(late, [])), "order": list(member.map(late, range(ITEMS)))}
    told |= {"refused": raised(member, refused), "broken": raised(member, broken)}
    with closing(member.map(partial(noted, own / "noted"), range(1000))) as answers:
        told["first"] = list(itertools.islice(answers, 3))
    told["ran"] = settled(own / "noted")
    return told


def settled(folder: Path) -> int:
    """How many are noted, once no more have come for three seconds."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 3:
        if (now := len(list(folder.iterdir()))) != count:
            count, since = now, time.monotonic()
        time.sleep(0.05)
    return count


def main(root: Path) -> None:
    told = RayWorkers(root / "tmp").run(partial(ask, root), 2, 1, "cpu", lambda _: None, print)
    for name, found in told.items():
        sys.stdout.write(f"{name} {found}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
