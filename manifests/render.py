"""Renders manifests/base, and what overlays add to it, from the chart, and says whether they still are what it makes.

    python manifests/render.py              render anew; wants helm, builds it if it is not on the PATH
    python manifests/render.py --check      wants none: compares digests with those that were written beside

manifests/rendered.json holds the digest of what was rendered from, and of what came of it; tests/cluster renders anew.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CHART: Final = ROOT / "helm" / "trimtab"
HERE: Final = ROOT / "manifests"
LOCK: Final = HERE / "rendered.json"
HEADER: Final = "# Rendered from helm/trimtab by `make manifests`.\n"
TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "base": (
        "namespace", "serviceaccount", "rbac", "config", "deployment", "service", "poddisruptionbudget", "admission",
        "networkpolicies",
    ),
    "overlays/local": ("servingruntimes",),
    "overlays/standard": ("monitors", "alerts", "dashboards", "servingruntimes"),
}  # fmt: skip
"""Folder to the templates whose objects it holds; each is a file of the template's name."""
HELMS_OWN: Final = re.compile(
    r"^ +(helm\.sh/chart|app\.kubernetes\.io/managed-by|checksum/config): .*\n", re.MULTILINE
)
"""What marks objects as a release's. kubectl's are none; kustomize names a ConfigMap by its content."""
BETWEEN: Final = re.compile(r"^---\n", re.MULTILINE)
SOURCE: Final = re.compile(r"^# Source: trimtab/templates/([\w-]+)\.yaml\n")


def rendered(helm: Path) -> dict[Path, str]:
    """File to what belongs in it."""
    made: dict[Path, str] = {}
    for folder, templates in TAKEN.items():
        values = HERE / "values" / f"{Path(folder).name}.yaml"
        by = dict.fromkeys(templates, "")
        for template, text in _documents(helm, values):
            if template in by:
                by[template] += ("---\n" if by[template] else HEADER) + text
        made |= {HERE / folder / f"{template}.yaml": text for template, text in by.items() if text}
    config = HERE / "base" / "config.yaml"
    made[config] = HEADER + "# docs/kubernetes.md tells every field.\n" + _data(made[config])
    return made


def _documents(helm: Path, values: Path) -> Iterator[tuple[str, str]]:
    """(template, text) of each object, in the order of the templates' names."""
    command = [str(helm), "template", "trimtab", str(CHART), "-n", "trimtab-system", "-f", str(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    for text in BETWEEN.split(done.stdout):
        if source := SOURCE.match(text):
            yield source[1], HELMS_OWN.sub("", text[source.end() :].strip() + "\n")


def _data(config_map: str) -> str:
    """The one file of the ConfigMap; kustomize makes a ConfigMap of it again."""
    import yaml

    text: str = yaml.safe_load(config_map)["data"]["config.yaml"]
    return text


def sources() -> list[Path]:
    """All that the rendering depends on."""
    chart = [path for path in CHART.rglob("*") if path.is_file()]
    return sorted([*chart, *(HERE / "values").glob("*.yaml"), Path(__file__).resolve()])


def digest(paths: list[Path]) -> str:
    """Of names and contents."""
    said = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes() if path.exists() else b"missing"
        said.update(str(path.relative_to(ROOT)).encode() + b"\0" + hashlib.sha256(content).digest())
    return said.hexdigest()


def lock(files: list[Path]) -> dict[str, object]:
    names = [str(path.relative_to(HERE)) for path in sorted(files)]
    return {"from": digest(sources()), "made": digest(files), "files": names}


def check() -> int:
    """1 if the chart or what came of it changed since."""
    held = json.loads(LOCK.read_text())
    now = lock([HERE / name for name in held["files"]])
    for part, said in (("from", "helm/trimtab changed"), ("made", "rendered manifests were edited by hand")):
        if held[part] != now[part]:
            sys.stdout.write(f"stale: {said}; run `make manifests` and commit the result\n")
            return 1
    return 0


def write() -> int:
    made = rendered(helm_program())
    for path, text in made.items():
        path.write_text(text)
    LOCK.write_text(json.dumps(lock(list(made)), indent=1) + "\n")
    return 0


def helm_program() -> Path:
    """That of the PATH, else built."""
    from tests.cluster.kube.binaries import binary

    found = shutil.which("helm")
    return Path(found) if found else binary("helm")


if __name__ == "__main__":
    raise SystemExit(check() if "--check" in sys.argv else write())
