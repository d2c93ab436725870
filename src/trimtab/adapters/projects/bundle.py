"""Bundles: trimtab.yaml and the files that it names, packed by content and never changed; beside them notes of their
commit and of the lock file.

A pipeline's `project` parameter is a bundle's address, which ends in its digest: kfp's caches key on the
string, so a folder that can change would give back a stale model.
"""

import fnmatch
import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from trimtab.adapters.projects import commit, lock
from trimtab.adapters.projects.load import FILE, PLATFORM_FILE, Loaded
from trimtab.api.errors import InputRefused

MAX_BYTES = 50_000_000
NEVER = (".env", ".env.*", ".trimtab", ".trimtab/*", ".git", ".git/*", "*.pyc", commit.NOTE, lock.NOTE)
IGNORE_FILE = ".trimtabignore"


def pack(loaded: Loaded, bundles: Path) -> Path:
    """The project's bundle under `bundles`, made if it is not there: `<name>-<digest16>/`, and its notes in it.

    Raises:
        InputRefused: over 50 MB, or a named file that must never be packed.
    """
    files = content(loaded)
    total = sum((loaded.root / file).stat().st_size for file in files)
    if total > MAX_BYTES:
        largest = max(files, key=lambda file: (loaded.root / file).stat().st_size)
        raise InputRefused(
            f"the bundle would be {total / 1e6:.0f} MB, more than {MAX_BYTES // 10**6}; the largest file is {largest}",
            remedy=f"read data through `sources:`, or name the file in {IGNORE_FILE}",
        )
    whole = digest(loaded.root, files)
    code, asked = commit.code_of(loaded.root, files, whole), lock.lock_of(loaded.root)
    target = bundles / f"{loaded.project.name}-{whole[:16]}"
    if target.exists():
        with suppress(OSError):  # another user's: it says less of its commit, and no run fails for that
            commit.note(target, code, whole)
            lock.note(target, asked)
        return target
    bundles.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=bundles))
    try:
        for file in files:
            (making / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(loaded.root / file, making / file)
        commit.note(making, code, whole)
        lock.note(making, asked)
        os.chmod(making, 0o755)
        os.rename(making, target)
    except FileExistsError:
        pass
    except OSError:
        if not target.exists():
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target


def content(loaded: Loaded) -> list[str]:
    """Files of the bundle, relative and sorted.

    Raises:
        InputRefused: trimtab.yaml names a file that is never packed.
    """
    optional = [file for file in (PLATFORM_FILE,) if (loaded.root / file).is_file()]
    ignored = _patterns(loaded.root / IGNORE_FILE)
    named = sorted({FILE, *loaded.project.files, *optional})
    for file in named:
        if any(fnmatch.fnmatch(file, pattern) for pattern in NEVER):
            raise InputRefused(f"{FILE} names '{file}', which is never packed", remedy="name another file")
    return [file for file in named if not any(fnmatch.fnmatch(file, pattern) for pattern in ignored)]


def digest(root: Path, files: list[str]) -> str:
    """sha256 over names and contents, hex."""
    whole = hashlib.sha256()
    for file in files:
        body = hashlib.sha256((root / file).read_bytes()).hexdigest()
        whole.update(f"{file}\0{body}\n".encode())
    return whole.hexdigest()


def _patterns(path: Path) -> list[str]:
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]
