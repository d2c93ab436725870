"""What an image holds of Python packages, as CycloneDX 1.6 JSON on standard output.

    python images/sbom.py requirements.lock > sbom.cdx.json

It names the distributions that are installed beside the interpreter that runs it; nothing is guessed and no time is
written. One that is not in the lock, or not in that version, ends it with status 1.
"""

import json
import re
import sys
import uuid
from importlib.metadata import Distribution, distributions
from pathlib import Path

LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)
OWN = "trimtab"


def main(lock: Path) -> int:
    """Print the bill; the exit status is 1 where something is installed that is not locked."""
    text = lock.read_text()
    locked = {(normal(found["name"]), found["version"]) for found in LOCKED.finditer(text)}
    held = sorted(distributions(), key=lambda one: normal(one.name))
    foreign = [
        one for one in held if normal(one.name) != OWN and (normal(one.name), one.version) not in locked
    ]
    if foreign:
        names = ", ".join(f"{one.name}=={one.version}" for one in foreign)
        sys.stderr.write(f"installed and not in {lock}: {names}\n")
        return 1
    sys.stdout.write(json.dumps(bill(held), indent=1, sort_keys=True) + "\n")
    return 0


def bill(held: list[Distribution]) -> dict[str, object]:
    """The document. Its serial number is made of its components, so the same content has the same."""
    own = next(one for one in held if normal(one.name) == OWN)
    components = [component(one) for one in held if one is not own]
    dependencies = [{"ref": reference(one), "dependsOn": sorted(depends(one, held))} for one in held]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components, sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**component(own), "type": "application"}},
        "components": components,
        "dependencies": dependencies,
    }


def component(one: Distribution) -> dict[str, object]:
    found: dict[str, object] = {
        "type": "library",
        "bom-ref": reference(one),
        "name": one.name,
        "version": one.version,
        "purl": reference(one),
    }
    if licence := one.metadata.get("License-Expression"):
        found["licenses"] = [{"expression": licence}]
    return found


def depends(one: Distribution, held: list[Distribution]) -> set[str]:
    """Of the packages that are here, those that it names; markers are not weighed: what is here is here."""
    here = {normal(other.name): reference(other) for other in held}
    named = {normal(re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0]) for text in one.requires or []}
    return {here[name] for name in named if name in here and name != normal(one.name)}


def reference(one: Distribution) -> str:
    return f"pkg:pypi/{normal(one.name)}@{one.version}"


def normal(name: str) -> str:
    """A distribution's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
