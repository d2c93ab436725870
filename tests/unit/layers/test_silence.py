"""No library that comes with us reports home."""

import os
import subprocess
import sys

VARIABLES = ("ORT_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY", "FEAST_USAGE")
PRINTED = f"import os, trimtab; print(*(os.environ.get(name) for name in {VARIABLES}))"


def printed(**given):
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | given
    done = subprocess.run(
        [sys.executable, "-c", PRINTED], env=environment, text=True, capture_output=True, check=True
    )
    return done.stdout.split()


def test_importing_trimtab_silences_them():
    assert printed() == ["1", "true", "False"]


def test_who_wants_them_to_report_has_the_last_word():
    assert printed(ORT_DISABLE_TELEMETRY="0") == ["0", "true", "False"]
