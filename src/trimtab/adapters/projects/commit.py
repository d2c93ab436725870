"""The commit of a project's files: git's word in a checkout, elsewhere that of the note which came with them.

A bundle, and so its archive, holds the note beside the project's files. It is no part of the content and not in the
digest, so the same files at two commits are one bundle.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from trimtab.api.provenance import Code

NOTE: Final = ".commit"
_WRITTEN: Final = re.compile(r"(?P<code>[0-9a-f]{40,64}(\+changes)?) (?P<digest>[0-9a-f]{64})\n")


def code_of(root: Path, files: list[str], digest: str) -> Code:
    """The commit of a project's files; none outside a checkout, where no note came with them.

    Args:
        files: of the bundle, relative to `root`. Only what differs in them from the commit is a change.
        digest: the bundle's.
    """
    return noted(root, digest) or checked_out(root, files)


def checked_out(root: Path, files: list[str]) -> Code:
    """What git says of the files of a folder."""
    status = ["status", "--porcelain", "--ignored", "--untracked-files=normal", "--", *files]
    try:
        return Code(commit=_git(root, "rev-parse", "HEAD").strip(), changed=bool(_git(root, *status)))
    except (OSError, subprocess.CalledProcessError):
        return Code()


def noted(root: Path, digest: str) -> Code:
    """What the note in a folder says; none where there is none, or where it is of other files."""
    try:
        return read((root / NOTE).read_text(encoding="utf-8"), digest)
    except (OSError, UnicodeDecodeError):
        return Code()


def read(text: str, digest: str) -> Code:
    """A note's text; none of a text that is none, or of other files.

    Args:
        digest: the bundle's, or as much of it as its name holds.
    """
    told = _WRITTEN.fullmatch(text)
    return Code.of(told["code"]) if told and told["digest"].startswith(digest) else Code()


def note(bundle: Path, code: Code, digest: str) -> None:
    """Leave the commit with a bundle, unless one lies there that says more of its files."""
    if newer(code, noted(bundle, digest)):
        leave(bundle / NOTE, f"{code} {digest}\n")


def leave(note: Path, text: str) -> None:
    """Write a note in a bundle whole, so that who reads meanwhile gets this one or the one before."""
    number, making = tempfile.mkstemp(prefix=".making-", dir=note.parent.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(making, 0o644)
        os.replace(making, note)
    finally:
        Path(making).unlink(missing_ok=True)


def newer(code: Code, held: Code) -> bool:
    """Whether a commit is to stand in the place of another, of the same files: one that holds them is not given up for
    one that does not."""
    return bool(code) and code != held and not (code.changed and held and not held.changed)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "--literal-pathspecs", "--no-optional-locks", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
