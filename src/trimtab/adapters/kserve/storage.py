"""Which places of a model KServe can fetch from, and what to do with one that it cannot."""

from typing import Final

from trimtab.api.errors import InputRefused

SERVABLE: Final = ("s3", "gs", "pvc", "hf", "https", "oci")
REMEDIES: Final = {
    "mlflow-artifacts": "give MLflow's server an artifact root that pods can read (s3://, gs://) instead of "
    "--serve-artifacts, or set serving.export to such a place, and register the model again",
    "models": "register the version with the address of its files (s3://, gs://, pvc://), not its name",
    "runs": "register the version with the address of its files (s3://, gs://, pvc://), not its run's",
    "file": "export to a place that every node can read: s3://, gs:// or pvc://",
    "": "write a whole address, such as s3://bucket/folder",
    "http": "use https://",
}


class NotServable(InputRefused):
    """A revision's address that KServe's storage initializer does not take."""


def judge_uri(uri: str) -> None:
    """Raises NotServable unless pods can fetch the model from there.

    >>> judge_uri("s3://models/flights/3")
    """
    scheme = uri.partition("://")[0] if "://" in uri else uri.partition(":")[0] if ":" in uri else ""
    if scheme not in SERVABLE:
        raise NotServable(
            f"the model lies at '{uri}', which a pod cannot fetch; servable are {', '.join(SERVABLE)}",
            remedy=REMEDIES.get(scheme, "export the model to one of these and register it again"),
        )
