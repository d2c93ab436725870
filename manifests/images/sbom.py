"""What an image holds: Python packages, their interpreter and the base's Debian packages, as CycloneDX 1.6 JSON.

    python manifests/images/sbom.py requirements.lock [DPKG_STATUS] > sbom.cdx.json

It names the distributions that are installed beside the interpreter that runs it, and what dpkg's record of the base
says; nothing is guessed and no time is written. A distribution that is not in the lock, or not in that version, ends it
with status 1. What an image's own files are it does not tell: they are of this repository, at the image's version.
"""

import json
import platform
import re
import sys
import uuid
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from debian import debian

RELEASE = Path("/etc/os-release")
LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)
OWN = "trimtab"


@dataclass(frozen=True)
class Package:
    """What an installed distribution says of itself, read once.

    Attributes:
        requires: names in its requirements, as the index compares them.
    """

    name: str
    version: str
    licence: str
    requires: frozenset[str]

    @classmethod
    def of(cls, one: Distribution) -> "Package":
        said = one.metadata
        wanted = {
            normal(re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0])
            for text in said.get_all("Requires-Dist") or ()
        }
        return cls(said["Name"], said["Version"], said.get("License-Expression") or "", frozenset(wanted))

    @property
    def key(self) -> str:
        return normal(self.name)

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.key}@{self.version}"


def main(lock: Path, status: Path | None = None) -> int:
    """Print the bill; the exit status is 1 where something is installed that is not locked."""
    text = lock.read_text()
    locked = {(normal(found["name"]), found["version"]) for found in LOCKED.finditer(text)}
    held = installed()
    foreign = [one for one in held if one.key != OWN and (one.key, one.version) not in locked]
    if foreign:
        names = ", ".join(f"{one.name}=={one.version}" for one in foreign)
        sys.stderr.write(f"installed and not in {lock}: {names}\n")
        return 1
    base = debian(status, RELEASE) if status is not None else []
    sys.stdout.write(json.dumps(bill(held, base), indent=1, sort_keys=True) + "\n")
    return 0


def installed() -> list[Package]:
    """Beside this interpreter, by name: of two on its path the first, which is the one that it imports."""
    held: dict[str, Package] = {}
    for one in map(Package.of, distributions()):
        held.setdefault(one.key, one)
    return sorted(held.values(), key=lambda one: one.key)


def bill(held: list[Package], base: list[dict[str, object]]) -> dict[str, object]:
    """The document. Its serial number is made of its components, so the same content has the same.

    Args:
        base: components of the image that the packages were put on.
    """
    own = next(one for one in held if one.key == OWN)
    here = {one.key: one.purl for one in held}
    components = [*(component(one) for one in held if one is not own), interpreter(), *base]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components, sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**component(own), "type": "application"}},
        "components": components,
        # markers are not weighed: what is here is here
        "dependencies": [
            {
                "ref": one.purl,
                "dependsOn": sorted(here[name] for name in one.requires & here.keys() - {one.key}),
            }
            for one in held
        ],
    }


def component(one: Package) -> dict[str, object]:
    found: dict[str, object] = {
        "type": "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
        "purl": one.purl,
    }
    return found | ({"licenses": [{"expression": one.licence}]} if one.licence else {})


def interpreter() -> dict[str, object]:
    """CPython, which the base may have built itself: then no package of Debian is it."""
    version = platform.python_version()
    purl = f"pkg:generic/cpython@{version}"
    return {"type": "platform", "bom-ref": purl, "name": "cpython", "version": version, "purl": purl}


def normal(name: str) -> str:
    """A distribution's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
