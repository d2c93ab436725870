"""The append-only log: what was acknowledged is in it, whatever happens to the process.

A folder of segments `00000001.log`, …; a segment is MAGIC and then frames `length | crc32 | kind | payload`
(length and crc32 little-endian uint32 over kind and payload). One append is one write(2), so a killed process
leaves whole groups; a machine that loses power may leave a torn tail, which is cut at the next start (the cut
bytes are kept beside it, as `<segment>.torn`). A segment opens with records that sum up all before it, so
that old segments can be dropped from the front.
"""

import errno
import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from trimtab.api.errors import SurroundingsFailed

MAGIC = b"trimtab\x01"
FRAME = struct.Struct("<IIB")
LONGEST_PAYLOAD = 1 << 30
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Kind(IntEnum):
    """What a record's payload holds."""

    EVENTS = 1
    LABELS = 2
    REVISION = 3
    TOTALS = 4


KINDS = frozenset(int(kind) for kind in Kind)


class Record(NamedTuple):
    kind: Kind
    payload: bytes


class LogRefused(SurroundingsFailed):
    """Nothing of the group was kept; the same append may succeed later.

    Args:
        full: the disk (or quota) is full, as against broken.
    """

    def __init__(self, folder: Path, error: OSError, *, full: bool) -> None:
        what = "the disk is full" if full else f"the log cannot be written ({error.strerror})"
        super().__init__(
            f"{folder}: {what}",
            remedy="free space on that disk; the collector goes on by itself"
            if full
            else "see the disk's health",
        )
        self.full = full


@dataclass(slots=True)
class Segment:
    """One file of the log.

    Attributes:
        newest_us: newest event time in it, µs since the epoch; -1 while it holds none.
    """

    path: Path
    number: int
    size_bytes: int = 0
    newest_us: int = -1


def encode(record: Record) -> bytes:
    body = bytes([record.kind]) + record.payload
    return FRAME.pack(len(record.payload), zlib.crc32(body), record.kind) + record.payload


def frames(data: memoryview) -> Iterator[tuple[int, Record]]:
    """Whole, sound frames from the front of a segment, each with the offset at which it ends."""
    at = len(MAGIC)
    if bytes(data[:at]) != MAGIC:
        return
    while at + FRAME.size <= len(data):
        length, crc, kind = FRAME.unpack_from(data, at)
        end = at + FRAME.size + length
        if length > LONGEST_PAYLOAD or end > len(data):
            return
        if zlib.crc32(data[at + FRAME.size - 1 : end]) != crc or kind not in KINDS:
            return
        yield end, Record(Kind(kind), bytes(data[at + FRAME.size : end]))
        at = end


class Log:
    """Owner of one folder; a second owner is refused.

    Args:
        folder: made when it is not there.
        opening: records that a new segment starts with: the sum of all before it.
        segment_bytes: size past which a new segment is begun.
    """

    def __init__(
        self, folder: Path, opening: Callable[[], Sequence[Record]], segment_bytes: int = 64 << 20
    ) -> None:
        self.folder = folder
        self.damaged = 0
        self._opening = opening
        self._segment_bytes = segment_bytes
        self._lock = self._own()
        found = sorted(folder.glob("[0-9]*.log"))
        self.segments = [Segment(path, int(path.stem)) for path in found]
        self._file = -1
        self._dirty = False
        self._broken: OSError | None = None
        self._syncing = threading.Lock()

    def _own(self) -> int:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SurroundingsFailed(
                f"{self.folder}: cannot be written ({error.strerror})",
                remedy="give --dir a folder of your own",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise SurroundingsFailed(
                f"{self.folder}: another collector writes here",
                remedy="stop it, or give --dir another folder",
            ) from error
        return lock

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)

    def replay(self) -> Iterator[tuple[Segment, Record]]:
        """Every record in order; cuts a torn tail, then opens the last segment for appending."""
        for segment in self.segments:
            data = memoryview(segment.path.read_bytes())
            segment.size_bytes = len(data)
            sound = len(MAGIC) if bytes(data[: len(MAGIC)]) == MAGIC else 0
            for end, record in frames(data):
                yield segment, record
                sound = end
            if sound < len(data) or not sound:
                self._cut(segment, data, sound)
        if self.segments and self.segments[-1].size_bytes:
            self._file = os.open(self.segments[-1].path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        else:
            self._begin(self.segments.pop().number if self.segments else 1)

    def _cut(self, segment: Segment, data: memoryview, end: int) -> None:
        """A torn tail is put aside; a hole inside an older segment is counted and left as it lies."""
        self.damaged += 1
        if segment is not self.segments[-1]:
            return
        if len(data) > end:
            segment.path.with_suffix(".torn").write_bytes(data[end:])
        os.truncate(segment.path, end)
        segment.size_bytes = end

    def _begin(self, number: int) -> None:
        path = self.folder / f"{number:08d}.log"
        start = MAGIC + b"".join(map(encode, self._opening()))
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                _write_whole(file, start)
                os.fsync(file)
            except OSError:
                os.close(file)
                path.unlink()
                raise
            self._sync_folder()
        except OSError as error:
            raise self._refusal(error) from error
        with self._syncing:
            if self._file >= 0:
                os.fsync(self._file)
                os.close(self._file)
            self._file = file
        self.segments.append(Segment(path, number, len(start)))

    def _sync_folder(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _refusal(self, error: OSError) -> LogRefused:
        return LogRefused(self.folder, error, full=error.errno in FULL)

    def append(self, records: Sequence[Record], newest_us: int) -> None:
        """Write a group: all of it or, with LogRefused, none of it."""
        if self._broken:
            raise self._refusal(self._broken)
        if self.segments[-1].size_bytes >= self._segment_bytes:
            self._begin(self.segments[-1].number + 1)
        segment = self.segments[-1]
        group = b"".join(map(encode, records))
        try:
            _write_whole(self._file, group)
        except OSError as error:
            os.ftruncate(self._file, segment.size_bytes)
            raise self._refusal(error) from error
        segment.size_bytes += len(group)
        segment.newest_us = max(segment.newest_us, newest_us)
        self._dirty = True

    def sync(self) -> None:
        """Flush to the device what was written since the last call. May run in another thread.

        A flush that fails leaves it unknown what the device holds, so every later append is refused.
        """
        with self._syncing:
            if not self._dirty:
                return
            self._dirty = False
            try:
                os.fdatasync(self._file)
            except OSError as error:
                self._broken = error
                raise self._refusal(error) from error

    def drop_before(self, time_us: int) -> int:
        """Delete leading segments whose every event is older; the last one always stays. Returns how many."""
        dropped = 0
        while len(self.segments) > 1 and self.segments[0].newest_us < time_us:
            self.segments.pop(0).path.unlink()
            dropped += 1
        return dropped

    def close(self) -> None:
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1
        os.close(self._lock)


def _write_whole(file: int, data: bytes) -> None:
    """A regular file takes a write whole unless it fills up; the rest is then asked for, to get the error."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
