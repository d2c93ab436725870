"""Profiles of model folders on this machine (ports.profiles.Profiles)."""

from pathlib import Path
from urllib.parse import unquote, urlparse

from trimtab.api.errors import InputRefused, SurroundingsFailed

PROFILE = "profile.json"


class FolderProfiles:
    """Reads `profile.json` in a folder named by a path or a file:// address."""

    def profile(self, uri: str) -> bytes:
        parsed = urlparse(uri)
        folder = Path(unquote(parsed.path)) if parsed.scheme == "file" else Path(uri)
        try:
            return (folder / PROFILE).read_bytes()
        except FileNotFoundError as error:
            raise InputRefused(
                f"the model at {uri} has no {PROFILE}",
                remedy="export it with trimtab, or register it with `trimtab register MODEL --profile REFERENCE`",
            ) from error
        except OSError as error:
            raise SurroundingsFailed(f"{folder / PROFILE} cannot be read: {error}") from error
