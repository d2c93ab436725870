"""One request to the API server, before it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlencode

from operators.drift.runtime.resource import Object, Resource

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML: what kubectl sends too
MERGE: Final = "application/merge-patch+json"

Verb = Literal["get", "list", "watch", "create", "patch", "update", "delete"]
METHODS: Final[Mapping[Verb, str]] = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "patch": "PATCH",
    "update": "PUT",
    "delete": "DELETE",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one object, or of all of a kind.

    Attributes:
        verb: as RBAC names it.
        resource: None for a path that is no object's, such as /version, which is `name` then.
        query: those whose value is "" are left out.
        content: type of the body.
        user: whom to impersonate; "" for nobody.
    """

    verb: Verb
    resource: Resource | None
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content: str = JSON
    user: str = ""

    @property
    def method(self) -> str:
        return METHODS[self.verb]

    @property
    def path(self) -> str:
        if self.resource is None:
            return self.name
        return self.resource.path(self.namespace, self.name, self.subresource)

    @property
    def path_and_query(self) -> str:
        """
        >>> pods = Resource("", "v1", "Pod", "pods")
        >>> Request("list", pods, "shop", query={"labelSelector": "a=b", "fieldSelector": ""}).path_and_query
        '/api/v1/namespaces/shop/pods?labelSelector=a%3Db'
        """
        asked = {key: value for key, value in self.query.items() if value}
        return f"{self.path}?{urlencode(asked)}" if asked else self.path


def selectors(labels: Mapping[str, str] | None, fields: str) -> dict[str, str]:
    """As a query asks for some objects of all; a label whose value is "" may have any.

    >>> selectors({"app": "web", "tier": ""}, "")
    {'labelSelector': 'app=web,tier', 'fieldSelector': ''}
    """
    asked = (f"{key}={value}" if value else key for key, value in (labels or {}).items())
    return {"labelSelector": ",".join(asked), "fieldSelector": fields}
