"""JSON Schema of trimtab.yaml, for editors that complete and check while one types."""

import json

from trimtab.api.project import Project


def editor_schema() -> str:
    """The schema as JSON, keys in camelCase as on the wire."""
    schema = Project.model_json_schema(by_alias=True, mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "trimtab.yaml"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"
