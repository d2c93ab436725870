"""The unit that earns traffic is a revision: another image or memory limit is one too, not only another model."""

import hashlib


def revision_id(digest: str, model_name: str, template: str = "") -> str:
    """hash8 of (model digest, rendered template, served name): 8 hex.

    >>> revision_id("ab" * 32, "flights") == revision_id("ab" * 32, "flights")
    True
    >>> len(revision_id("ab" * 32, "flights", "memory: 1Gi"))
    8
    """
    return hashlib.sha256("\0".join((digest, template, model_name)).encode()).hexdigest()[:8]
