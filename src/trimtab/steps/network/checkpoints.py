"""Checkpoints of one training: each a file that is whole or not there, told from any other training's.

    b"trimtab checkpoint 1\\n" · sha256 of what follows (32 bytes) · identity (32 bytes) · torch.save's bytes

A file is written beside, synced, and renamed into place; the newest few are kept. Each holds the best weights so
far too, so the best epoch outlives the files of its time.
"""

import contextlib
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from trimtab.api.errors import SurroundingsFailed

MAGIC: Final = b"trimtab checkpoint 1\n"
SUFFIX: Final = ".checkpoint"
KEPT: Final = 2


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: made when the first is written; of this training alone.
        identity: sha256, hex, of all that makes the training what it is: model, settings, seed, data.
        say: is told of a file that cannot be gone on from.
    """

    def __init__(self, folder: Path, identity: str, say: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder
        self._identity = bytes.fromhex(identity)
        self._say = say

    def write(self, steps: int, state: Mapping[str, Any]) -> None:
        """Keep the state after so many steps; the oldest beyond two go.

        Raises:
            SurroundingsFailed: it cannot be written; those before it stand.
        """
        import torch

        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        content = self._identity + buffer.getbuffer()
        path = self.folder / f"{steps:012d}{SUFFIX}"
        beside = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(MAGIC + hashlib.sha256(content).digest())
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(path)
            _sync(self.folder)
            for old in self._files()[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            kept = self._files()
            stands = f"; {kept[-1].name} stands" if kept else ""
            raise SurroundingsFailed(
                f"{path}: the checkpoint cannot be written ({error.strerror}){stands}",
                remedy="free some disk, then run again: it goes on from the last checkpoint",
            ) from error

    def last(self) -> dict[str, Any] | None:
        """The newest state that is whole and of this training; None where there is none."""
        for path in reversed(self._files()):
            try:
                content = path.read_bytes()
            except OSError as error:
                self._say(f"{path}: cannot be read ({error.strerror}); the checkpoint before it is taken")
                continue
            wrong = self._wrong(content)
            if not wrong:
                return self._loaded(content)
            self._say(f"{path}: {wrong}; the checkpoint before it is taken, if there is one")
        return None

    def telling(self, say: Callable[[str], None]) -> "Checkpoints":
        """The same checkpoints, from wherever the process stands, with another who is told."""
        return Checkpoints(self.folder.absolute(), self._identity.hex(), say)

    def note(self, text: str) -> None:
        """Keep a word beside the checkpoints, such as the tracking run's id."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "note").write_text(text)
        except OSError as error:
            raise SurroundingsFailed(
                f"{self.folder}: cannot be written ({error.strerror})", remedy="free some disk"
            ) from error

    def noted(self) -> str:
        """What `note` kept; "" for nothing."""
        try:
            return (self.folder / "note").read_text()
        except OSError:
            return ""

    def clear(self) -> None:
        """The training is done and its model kept elsewhere: remove them all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{SUFFIX}"))

    def _wrong(self, content: bytes) -> str:
        head = len(MAGIC) + 32
        if not content.startswith(MAGIC):
            return "is no checkpoint of trimtab"
        if hashlib.sha256(content[head:]).digest() != content[len(MAGIC) : head]:
            return "is cut short or damaged"
        if content[head : head + 32] != self._identity:
            return "is of another model, other settings or other data"
        return ""

    @staticmethod
    def _loaded(content: bytes) -> dict[str, Any]:
        import torch

        held: dict[str, Any] = torch.load(
            io.BytesIO(content[len(MAGIC) + 64 :]), map_location="cpu", weights_only=True
        )
        return held


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
