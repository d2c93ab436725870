"""The layers hold, and a wrong import is noticed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                          env={"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin"})  # fmt: skip


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("rollout", "import trimtab.control"),
        ("sketch", "import trimtab.drift"),
        ("steps", "import trimtab.adapters"),
        ("api", "import trimtab.ports"),
    ],
)
def test_an_import_from_a_higher_or_neighbouring_layer_is_refused(tmp_path, module, line):
    for part in ("src", "operators"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = tmp_path / "src" / "trimtab" / module / "planted.py"
    planted.write_text(line + "\n")

    done = lint(tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert f"trimtab.{module}.planted" in done.stdout
