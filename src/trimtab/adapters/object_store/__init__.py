"""Files in buckets (s3://, gs://, az://), read a range at a time by delta-rs' own clients.

So one set of credentials, retries and addresses serves those who write tables and those who read their files.
"""

from trimtab.adapters.object_store.failures import gone_if_absent, reached, sentence
from trimtab.adapters.object_store.store import (
    copy,
    folders,
    here,
    in_bucket,
    objects,
    opened,
    options,
    parts,
    there,
)

__all__ = [
    "copy",
    "folders",
    "gone_if_absent",
    "here",
    "in_bucket",
    "objects",
    "opened",
    "options",
    "parts",
    "reached",
    "sentence",
    "there",
]
