"""A task's failure, told to who runs its pod, whose status is all that is left of it."""

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from trimtab.adapters.jobs.message import cut
from trimtab.adapters.kfp.warm import FAILURE_VARIABLE, told_failure

Given = ParamSpec("Given")
Made = TypeVar("Made")


def tells_failure(task: Callable[Given, Made]) -> Callable[Given, Made]:
    """Leaves what the task raises in the file that TRIMTAB_TASK_FAILURE names, if one is named."""

    @functools.wraps(task)
    def telling(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        try:
            return task(*args, **kwargs)
        except Exception as error:
            if file := os.environ.get(FAILURE_VARIABLE):
                told = told_failure(error)
                texts = {key: cut(told[key] or "") for key in ("sentence", "remedy")}
                Path(file).write_text(json.dumps({**told, **texts}, ensure_ascii=False), encoding="utf-8")
            raise

    return telling
