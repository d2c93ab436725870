"""A bundle as one file: `<name>-<digest16>.tar.gz`, for storage from which a cluster's runs take it.

It holds the notes of commit and lock file too, which are in no digest: the address stays while they change.
"""

import gzip
import io
import os
import re
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, Final

from trimtab.adapters.projects import commit, lock
from trimtab.adapters.projects.bundle import MAX_BYTES, pack
from trimtab.adapters.projects.load import Loaded, load
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.provenance import Code, Lock

SUFFIX: Final = ".tar.gz"
_NAMED: Final = re.compile(r"(?P<bundle>[a-z][a-z0-9-]*-[0-9a-f]{16})\.tar\.gz")


def archive(bundle: Path, folder: Path) -> Path:
    """Write a bundle as `<folder>/<its name>.tar.gz`; the same bundle with the same notes gives the same bytes."""
    target = folder / f"{bundle.name}{SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    target.write_bytes(packed(bundle))
    return target


def packed(bundle: Path) -> bytes:
    """A bundle as a tar.gz; the same bundle with the same notes gives the same bytes."""
    made = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(str(file.relative_to(bundle)))
            entry.size, entry.mode = file.stat().st_size, 0o644
            with file.open("rb") as content:
                tar.addfile(entry, content)
    return made.getvalue()


def put(bundle: Path, storage: str) -> str:
    """Write a bundle's archive under an address (s3, gs, file); returns its own.

    One that is there already stays, unless this one tells a newer commit of the same files, or another lock file.

    Raises:
        InputRefused: no such kind of address.
        SurroundingsFailed: the storage cannot be reached, or refuses.
    """
    import pyarrow as pa
    from pyarrow import fs

    address = f"{storage.rstrip('/')}/{bundle.name}{SUFFIX}"
    content = packed(bundle)
    try:
        store, path = fs.FileSystem.from_uri(address)
        if store.get_file_info(path).type is fs.FileType.File:
            with store.open_input_stream(path, compression=None) as stream:
                held = stream.read(2 * MAX_BYTES)
            newer = commit.newer(commit_in(content, bundle.name), commit_in(held, bundle.name))
            if not newer and lock_in(content) == lock_in(held):
                return address
        _write_whole(store, path, content)
    except (pa.ArrowInvalid, ValueError) as error:
        raise InputRefused(
            f"'{address}' cannot be written: {error}",
            remedy="give an s3://, gs:// or file:// address as `projects` in platform.yaml",
        ) from error
    except OSError as error:
        raise SurroundingsFailed(
            f"{address} cannot be written: {error}",
            remedy="see that this machine has the storage's credentials, and may write there",
        ) from error
    return address


def _write_whole(store: Any, path: str, content: bytes) -> None:
    """So that who reads meanwhile gets the one or the other; a bucket does so by itself."""
    from pyarrow import fs

    if not isinstance(store, fs.LocalFileSystem):
        with store.open_output_stream(path, compression=None) as stream:
            stream.write(content)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    making = target.with_name(f".{target.name}.{os.getpid()}")
    making.write_bytes(content)
    making.replace(target)


def commit_in(archive: bytes, name: str) -> Code:
    """What an archive's note says of the commit of its files; none of an archive that has none, or of no archive.

    Args:
        name: the bundle's.
    """
    return commit.read(_note_in(archive, commit.NOTE), name[-16:])


def lock_in(archive: bytes) -> Lock:
    """What an archive's note says of the lock file; none of an archive that has none, or of no archive."""
    return lock.read(_note_in(archive, lock.NOTE))


def _note_in(archive: bytes, note: str) -> str:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            held = tar.extractfile(note)
            return held.read().decode() if held else ""
    except (tarfile.TarError, EOFError, OSError, KeyError, UnicodeDecodeError, zlib.error):
        return ""


def bundle_name(address: str) -> str:
    """
    Raises:
        InputRefused: the address does not end in a bundle's digest.

    >>> bundle_name("s3://projects/flights-0123456789abcdef.tar.gz")
    'flights-0123456789abcdef'
    """
    found = _NAMED.fullmatch(address.rsplit("/", 1)[-1])
    if found is None:
        raise InputRefused(
            f"'{address}' names no bundle", remedy="give the address of a NAME-DIGEST.tar.gz: trimtab pipeline bundle"
        )  # fmt: skip
    return found["bundle"]


def unarchived(address: str, folder: Path) -> Loaded:
    """The project in the archive at an address (s3, gs, file; pyarrow's file systems), unpacked into a folder.

    Its digest is not checked here: packing it again gives it.

    Raises:
        InputRefused: no bundle there, or one that holds what no bundle holds.
        SurroundingsFailed: the storage cannot be reached, or refuses.
    """
    content = fetched(address)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            total = sum(entry.size for entry in tar.getmembers())
            if total > MAX_BYTES:
                raise InputRefused(f"{address} holds {total / 1e6:.0f} MB, more than a bundle may")
            for entry in tar.getmembers():
                _write(tar, entry, folder, address)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputRefused(
            f"{address} is no bundle ({error})", remedy="make it anew: trimtab pipeline bundle"
        ) from error
    return load(folder)


def unpacked(address: str, bundles: Path) -> Path:
    """The bundle of the archive at an address, under `bundles` and proven to be the one that its address says.

    Raises:
        InputRefused: no bundle there, or another one.
        SurroundingsFailed: the storage cannot be reached, or refuses.
    """
    named = bundle_name(address)
    with tempfile.TemporaryDirectory(prefix="trimtab-bundle-") as scratch:
        held = pack(unarchived(address, Path(scratch)), bundles)
    if held.name != named:
        raise InputRefused(
            f"{address} holds {held.name}: somebody changed it",
            remedy="make it anew: trimtab pipeline bundle",
        )
    return held


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path, address: str) -> None:
    """One file of a bundle into the folder; `extractall(filter=)` came with Python 3.11.4 only.

    Raises:
        InputRefused: no plain file, or one that would leave the folder.
    """
    name = PurePosixPath(entry.name)
    if not entry.isreg() or name.is_absolute() or ".." in name.parts:
        raise InputRefused(
            f"{address} holds '{entry.name}', which no bundle holds",
            remedy="make it anew: trimtab pipeline bundle",
        )
    content = tar.extractfile(entry)
    assert content is not None
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.read())


def fetched(address: str) -> bytes:
    import pyarrow as pa
    from pyarrow import fs

    try:
        store, path = fs.FileSystem.from_uri(address)
        with store.open_input_stream(path, compression=None) as stream:
            return bytes(stream.read(2 * MAX_BYTES))
    except FileNotFoundError as error:
        raise InputRefused(f"there is no {address}", remedy="see spec.pipeline.project") from error
    except (pa.ArrowInvalid, ValueError) as error:
        raise InputRefused(
            f"'{address}' cannot be read: {error}", remedy="give an s3://, gs:// or file:// address"
        ) from error
    except OSError as error:
        raise SurroundingsFailed(
            f"{address} cannot be read: {error}",
            remedy="see that the run's pod has the storage's credentials: spec.pipeline.job.envFrom",
        ) from error
