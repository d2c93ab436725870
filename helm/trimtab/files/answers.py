"""What `helm test` runs: asks the operator at the address in argv until a replica leads, or a minute is over."""

import sys
import time
import urllib.error
import urllib.request

WITHIN_S = 60.0


def answered(address: str, path: str) -> str:
    """What it says, or "" and why on standard output."""
    try:
        with urllib.request.urlopen(address + path, timeout=5) as answer:
            said: str = answer.read().decode()
            return said
    except (OSError, urllib.error.URLError) as error:
        print(f"{path}: {error}")  # noqa: T201
        return ""


address, deadline = sys.argv[1], time.monotonic() + WITHIN_S
while time.monotonic() < deadline:
    if answered(address, "/readyz") and "trimtab_leading 1.0" in answered(address, "/metrics"):
        print("the operator is ready, and a replica leads")  # noqa: T201
        sys.exit(0)
    time.sleep(1)
print(f"no replica leads at {address}; see: kubectl logs -l app.kubernetes.io/name=trimtab-operator")  # noqa: T201
sys.exit(1)
