"""Writes the committed files that are made from code, or with --check says which of them are stale.

Each carries the name of its source; nobody edits them by hand.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def pipeline_ir(name: str) -> str:
    """The IR of a pipeline in the default environment."""
    from trimtab.adapters.kfp.compile import compile_pipeline
    from trimtab.api.project import Project

    least = {"name": "any", "sources": {"a": {"files": "a.csv"}}, "examples": {"label": {"column": "y"}}}
    with tempfile.TemporaryDirectory() as folder:
        target = compile_pipeline(name, Project.model_validate(least), Path(folder) / "ir.yaml")
        source = f"pipelines/{name.replace('-', '_')}.py"
        return f"# Generated from {source} by `make generate`.\n" + target.read_text()


def project_schema() -> str:
    """docs/reference/trimtab.schema.json: what editors check trimtab.yaml against."""
    from trimtab.local.schema import editor_schema

    return editor_schema()


def cli_reference() -> str:
    """docs/reference/cli.md: every verb and option."""
    sys.path.insert(0, str(ROOT / "docs"))
    from cli_page import cli_page

    return cli_page()


def resource_reference() -> str:
    """docs/reference/resources.md: every field of the custom resources."""
    sys.path.insert(0, str(ROOT / "docs"))
    from resource_page import resource_page

    return resource_page()


def definition(kind: str) -> str:
    """The CustomResourceDefinition of a kind: for kubectl in manifests/, and the very same in the chart."""
    from trimtab.api.resources import RESOURCES
    from trimtab.api.resources.crd import manifest

    return next(manifest(resource) for resource in RESOURCES if kind == resource.PLURAL)


def operator_roles() -> str:
    """manifests/base/rbac.yaml: what the operator may do in a cluster."""
    sys.path.insert(0, str(ROOT))
    from operators.drift import rbac

    return "# Generated from operators/drift/rbac.py by `make generate`.\n" + rbac.text(rbac.cluster_wide())


KINDS = ("modelrollouts", "driftmonitors", "retrainpolicies")

GENERATED: dict[str, Callable[[], str]] = {
    **{
        f"pipelines/{name.replace('-', '_')}.yaml": partial(pipeline_ir, name)
        for name in ("training", "batch-prediction", "materialization", "backfill")
    },
    "docs/reference/trimtab.schema.json": project_schema,
    "docs/reference/cli.md": cli_reference,
    "docs/reference/resources.md": resource_reference,
    "manifests/base/rbac.yaml": operator_roles,
    **{f"manifests/crds/{kind}.yaml": partial(definition, kind) for kind in KINDS},
    **{f"helm/trimtab/crds/{kind}.yaml": partial(definition, kind) for kind in KINDS},
}


def main() -> int:
    """Write all, or with --check compare all; the status is 1 when one is stale."""
    stale = []
    for name, make in GENERATED.items():
        path, text = ROOT / name, make()
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for name in stale:
        sys.stdout.write(f"{'stale' if '--check' in sys.argv else 'written'}: {name}\n")
    if stale and "--check" in sys.argv:
        sys.stdout.write("run `make generate` and commit the result\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
