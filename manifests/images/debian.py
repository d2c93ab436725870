"""What an image's base holds of Debian packages, read from dpkg's own record; no dpkg has to be there to read it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

INSTALLED = "install ok installed"


def debian(status: Path, release: Path) -> list[dict[str, object]]:
    """The installed packages as components of CycloneDX, and the system that they make up; none where no record is.

    Args:
        status: dpkg's record, /var/lib/dpkg/status.
        release: /etc/os-release.
    """
    if not status.exists():
        return []
    said = dict(_assignments(release.read_text()))
    system, version = said["ID"], said.get("VERSION_ID", "")
    held = [
        _component(one, system, version) for one in stanzas(status.read_text()) if one["Status"] == INSTALLED
    ]
    distribution = {
        "type": "operating-system",
        "bom-ref": f"{system}@{version}",
        "name": system,
        "version": version,
    }
    return [distribution, *sorted(held, key=lambda one: str(one["bom-ref"]))]


def stanzas(text: str) -> Iterator[Mapping[str, str]]:
    """The fields of each stanza of a control file; continued lines are left out.

    >>> list(stanzas("Package: a\\nVersion: 1\\n more\\n\\nPackage: b\\n"))
    [{'Package': 'a', 'Version': '1'}, {'Package': 'b'}]
    """
    for stanza in text.strip().split("\n\n"):
        lines = [line for line in stanza.splitlines() if line and not line[0].isspace()]
        yield {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _component(one: Mapping[str, str], system: str, version: str) -> dict[str, object]:
    about = f"arch={one['Architecture']}&distro={quote(f'{system}-{version}')}"
    source = one.get("Source", one["Package"]).partition(" ")[0]
    purl = f"pkg:deb/{system}/{quote(one['Package'])}@{quote(one['Version'], safe=':~')}?{about}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": one["Package"],
        "version": one["Version"],
        "purl": purl,
        # advisories name sources
        "properties": [{"name": "debian:source", "value": source}],
    }


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name, value.strip("\"'")
