"""platform.yaml: where a project's things live when not in `.trimtab/`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from trimtab.api.values import Spec

_VARIABLE = re.compile(r"\$\{[A-Z_][A-Z0-9_]*\}")
_PASSWORD = re.compile(r"://[^/@\s:]*:(?P<password>[^/@\s]+)@")


def _no_literal_password(address: str) -> str:
    found = _PASSWORD.search(address)
    if found and not _VARIABLE.fullmatch(found["password"]):
        raise ValueError("holds a password — put it into a secret and write ${NAME} in its place")
    return address


Address = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_no_literal_password)]


class Platform(Spec):
    """One named place to run: `trimtab --platform NAME`.

    `${VAR}` stays unexpanded in bundle, digest, logs and MLflow, and is resolved inside the step.
    """

    data_root: Address | None = Field(None, description="what relative source files are relative to")
    sources: Annotated[dict[str, Address], Field(max_length=64)] = Field(
        default_factory=dict, description="files to read instead of those that trimtab.yaml names, by source"
    )
    openlineage: Address | None = Field(
        None, description="where runs send OpenLineage events: http://…, or a file that they are appended to"
    )


class Platforms(Spec):
    """The whole of platform.yaml."""

    platforms: Annotated[dict[str, Platform], Field(max_length=32)] = Field(default_factory=dict)
