"""How a network learns: what trimtab.yaml says under `training:` of the loop; other models do not read it."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trimtab.api.values import Duration, Spec


class Loop(Spec):
    """Mini-batches, optimizer, schedule and stop of a network's training."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        20, description="of a network: passes over the training rows, at most"
    )
    batch_rows: Annotated[int, Field(ge=2, le=1_000_000)] = Field(1024, description="of one mini-batch")
    learning_rate: Annotated[float, Field(gt=0, le=10)] = Field(
        0.002, description="AdamW's, at its highest; an optimizer hook of model.py has its own"
    )
    weight_decay: Annotated[float, Field(ge=0, le=10)] = Field(0.01, description="AdamW's")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "cosine", description="how the learning rate falls over all epochs"
    )
    warmup: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.05, description="share of all steps over which the learning rate rises"
    )
    clip: Annotated[float, Field(gt=0)] | None = Field(
        1.0, description="largest norm of a step's gradient; null for none"
    )
    accumulate: Annotated[int, Field(ge=1, le=10_000)] = Field(
        1, description="batches whose gradients make one step of the optimizer"
    )
    patience: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        3,
        description="epochs without a better validation loss before it stops, with the best weights; null: never",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the GPU has it, else float32"
    )
    workers: Annotated[int, Field(ge=1, le=1024)] = Field(
        1,
        description="processes that a network learns in, by Ray, each from its share of every batch; "
        "1: this process alone",
    )
    where: Literal["here", "kuberay"] = Field(
        "here",
        description="where several workers, or trials of a search at once, run: this machine, or the Ray cluster "
        "that RAY_ADDRESS names; kuberay: pods of their own, beside the pod that trains, and so does a single worker",
    )
    reader: Literal["own", "ray-data"] = Field(
        "own",
        description="who reads rows for workers of Ray: each for itself, or, to the same bits, tasks of Ray Data, "
        "wherever the cluster has a core to spare",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    threads: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="of one CPU operation; more help wide layers on idle cores, and are other bits"
    )
    checkpoint_every: Duration = Field(
        timedelta(minutes=5), description="time between checkpoints within an epoch; 0s: at each step"
    )

    @model_validator(mode="after")
    def _read_by_ray(self) -> Self:
        if self.reader == "ray-data" and self.workers == 1 and self.where == "here":
            raise ValueError(
                "reader: ray-data is for workers of Ray — say workers: 2 or more, or where: kuberay; or leave it out"
            )
        return self
