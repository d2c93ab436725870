"""The pod that this process runs in, as the API server knows it."""

import os
import socket


def own_name() -> str:
    """As the pod was told, else as it calls itself."""
    told = (os.environ.get(name) for name in ("TRIMTAB_POD", "KFP_POD_NAME"))
    return next(filter(None, told), socket.gethostname())
