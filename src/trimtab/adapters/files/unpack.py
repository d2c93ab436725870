"""Files inside zip and gzip, copied out: readers want to seek, and a cut-off archive must be told at once."""

import errno
import gzip
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from trimtab.api.errors import DataRefused, SurroundingsFailed

_CHUNK_BYTES: Final = 1 << 20


def unpacked(source: str, packed: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """The name to show and the path of each file in `packed`, or of itself.

    Raises:
        DataRefused: the archive is cut off or broken, or holds no file.
        SurroundingsFailed: it cannot be read, or the disk is full.
    """
    try:
        if packed.name.lower().endswith(".zip"):
            yield from _from_zip(source, packed, folder)
        elif packed.name.lower().endswith(".gz"):
            with gzip.open(packed) as stream:
                yield packed.name, _copy(stream, folder, packed.name[:-3])
        else:
            yield packed.name, packed
    except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise DataRefused(
            f"{source}: {packed.name} cannot be unpacked, it is cut off or broken ({error})",
            remedy="fetch the file anew",
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise SurroundingsFailed(
                f"the disk is full: {packed.name} could not be unpacked into {folder}",
                remedy="free some space, and run it again",
            ) from None
        raise SurroundingsFailed(
            f"{source}: {packed.name} cannot be read: {error.strerror or error}"
        ) from None


def _from_zip(source: str, packed: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    with zipfile.ZipFile(packed) as archive:
        members = [one for one in archive.infolist() if not one.is_dir() and "__MACOSX" not in one.filename]
        if not members:
            raise DataRefused(f"{source}: {packed.name} holds no file", remedy="fetch the file anew")
        for member in sorted(members, key=lambda one: one.filename):
            if member.flag_bits & 1:
                raise DataRefused(
                    f"{source}: {packed.name} is encrypted",
                    remedy="unpack it, and name the file that was in it",
                )
            shown = packed.name if len(members) == 1 else f"{packed.name}!{member.filename}"
            with archive.open(member) as stream:
                yield shown, _copy(stream, folder, Path(member.filename).name)


def _copy(stream: "IO[bytes] | gzip.GzipFile", folder: Path, name: str) -> Path:
    target = folder / f"{len(list(folder.iterdir()))}-{name}"
    with target.open("wb") as out:
        shutil.copyfileobj(stream, out, _CHUNK_BYTES)
    return target
