"""Where in its code each worker stands, for who hears nothing of them any more."""

import os
import sys
import sysconfig
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

ASKED: Final = "asked-where"
STANDS: Final = "stands-"
LOOK_S: Final = 1.0
ANSWER_S: Final = 5.0
PACKAGES: Final = f"{os.sep}site-packages{os.sep}"


def tell_when_asked(folder: Path, rank: int) -> None:
    """Answer for the thread that calls this, from now on."""
    own = threading.get_ident()

    def answer() -> None:
        while not (folder / ASKED).exists():
            time.sleep(LOOK_S)
        frame = sys._current_frames().get(own)
        with suppress(OSError):  # the disk is full: then nothing is said of this one
            making = folder / f"makes-{rank}"
            making.write_text(place_of(frame), encoding="utf-8")
            making.rename(folder / f"{STANDS}{rank}")

    threading.Thread(target=answer, name="whereabouts", daemon=True).start()


def whereabouts(folder: Path, count: int) -> list[str]:
    """Of each worker in a few words, after five seconds at most."""
    with suppress(OSError):
        (folder / ASKED).touch()
    until = time.monotonic() + ANSWER_S
    while len(list(folder.glob(f"{STANDS}*"))) < count and time.monotonic() < until:
        time.sleep(LOOK_S / 4)
    return [_told(folder / f"{STANDS}{rank}", rank) for rank in range(count)]


def _told(file: Path, rank: int) -> str:
    try:
        return f"worker {rank} is at {file.read_text(encoding='utf-8')}"
    except OSError:
        return f"worker {rank} does not answer"


def place_of(frame: FrameType | None) -> str:
    """The innermost line that is neither Python's own nor torch's."""
    stdlib = sysconfig.get_paths()["stdlib"]
    while frame is not None:
        file = frame.f_code.co_filename
        torchs = f"{PACKAGES}torch{os.sep}" in file
        pythons = file.startswith((stdlib, "<")) and PACKAGES not in file
        if not torchs and not pythons:
            return f"{Path(file).name}, line {frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back
    return "no line of its own"
