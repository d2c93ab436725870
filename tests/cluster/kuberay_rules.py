"""What docs/features-and-model.md says that a run's service account may do, for workers in pods of their own."""

import re
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[2] / "docs" / "features-and-model.md"


def documented_rules() -> list[dict[str, Any]]:
    (block,) = re.findall(r"```yaml rules\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    found: list[dict[str, Any]] = yaml.safe_load(block)["rules"]
    return found
