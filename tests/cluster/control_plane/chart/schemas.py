"""JSON schemas of the kinds that an API server knows, as kubeconform reads them: strict, with nothing left to fetch."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

LOCATION = "{{.ResourceKind}}_{{.Group}}_{{.ResourceAPIVersion}}.json"
OWN_KIND = "x-kubernetes-group-version-kind"
Json = dict[str, Any]


def write_schemas(openapi: Mapping[str, Any], wanted: Iterable[tuple[str, str]], folder: Path) -> str:
    """Write those of (apiVersion, kind); returns kubeconform's -schema-location.

    Args:
        openapi: what the API server answers at /openapi/v2, kinds of CRDs among it.
    """
    definitions = openapi["definitions"]
    by_kind = {
        (f"{one['group']}/{one['version']}".lstrip("/"), one["kind"]): name
        for name, schema in definitions.items()
        for one in schema.get(OWN_KIND, ())
    }
    for api, kind in wanted:
        group, _, version = api.rpartition("/")
        schema = strict({"$ref": f"#/definitions/{by_kind[api, kind]}"}, definitions, ())
        (folder / f"{kind.lower()}_{group or version}_{version}.json").write_text(json.dumps(schema))
    return str(folder / LOCATION)


def strict(schema: Mapping[str, Any], definitions: Mapping[str, Json], above: tuple[str, ...]) -> Json:
    """The schema with its references written out, that refuses a field which it does not name.

    Args:
        above: definitions that this one is inside of; what recurs (a CRD's schema) is not looked into again.
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        return {} if name in above else strict(definitions[name], definitions, (*above, name))
    if schema.get("format") == "int-or-string":
        return {"type": ["string", "integer"]}
    made = {
        k: v
        for k, v in schema.items()
        if not k.startswith("x-") and k not in ("default", "description", "format")
    }
    if "properties" in made:
        made["properties"] = {k: strict(v, definitions, above) for k, v in made["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), Mapping):
            made[key] = strict(made[key], definitions, above)
    return made
