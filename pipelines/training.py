"""Training: from source files to a registered candidate, or to a refusal with its reason.

The IR depends on the environment alone: which project, until when and over which window are parameters of a run.
"""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.admit.component import admit
from components.build.component import build
from components.evaluate.component import evaluate
from components.export.component import export
from components.featurize.component import featurize
from components.ingest.component import ingest
from components.materialize.component import materialize
from components.refit.component import refit
from components.register.component import register
from components.report.component import report
from components.train.component import train
from components.validate.component import validate

RUN = dsl.PIPELINE_JOB_ID_PLACEHOLDER


def training(image: str, cpu: int, memory: str) -> Callable[..., Any]:
    """The pipeline for one environment.

    Args:
        image: Container image of every task.
        cpu, memory: What the task that fits a model may use: cores, and a Kubernetes quantity.
    """

    def placed(task: dsl.PipelineTask, *, cached: bool = True) -> dsl.PipelineTask:
        return task.set_container_image(image).set_caching_options(cached)

    def heavy(task: dsl.PipelineTask) -> dsl.PipelineTask:
        return placed(task).set_cpu_limit(str(cpu)).set_memory_limit(memory)

    def publish(
        project: str,
        until: str,
        key: str,
        claims: str,
        *,
        passed: bool,
        because: Any,
        features: Any,
        model: Any,
    ) -> dsl.PipelineTask:
        exported = placed(export(project=project, features=features, model=model))
        return placed(
            register(
                project=project,
                until=until,
                key=key,
                claims=claims,
                run=RUN,
                digest=exported.outputs["digest"],
                passed=passed,
                because=because,
                servable=exported.outputs["servable"],
            ),
            cached=False,
        )

    @dsl.pipeline(name="trimtab-training", description="From source files to a candidate, or to a refusal.")
    def pipeline(
        project: str, until: str, window: str, stable: str = "", key: str = "", claims: str = "",
        force_past_gate: bool = False,
    ) -> None:  # fmt: skip
        with dsl.ExitHandler(placed(report(project=project, until=until), cached=False)):
            admitted = placed(admit(key=key, claims=claims, run=RUN), cached=False)
            with dsl.If(admitted.output == True, name="admitted"):  # noqa: E712  a condition in the IR
                taken = placed(ingest(project=project, until=until), cached=False)
                built = placed(
                    build(
                        project=project, until=until, sources_version=taken.outputs["version"],
                        sources=taken.outputs["sources"],
                    )
                )  # fmt: skip
                valid = placed(
                    validate(
                        project=project,
                        until=until,
                        tables_version=built.outputs["version"],
                        tables=built.outputs["tables"],
                        judged=built.outputs["judged"],
                    )
                )
                rows = valid.outputs["good"]
                seen = heavy(
                    featurize(
                        project=project,
                        until=until,
                        rows_version=valid.outputs["version"],
                        rows=rows,
                    )
                )
                features = seen.outputs["features"]
                trained = heavy(
                    train(
                        project=project,
                        until=until,
                        window=window,
                        features_version=seen.outputs["version"],
                        features=features,
                    )
                )
                model = trained.outputs["model"]
                judged = placed(
                    evaluate(
                        project=project,
                        window=window,
                        stable=stable,
                        force_past_gate=force_past_gate,
                        rows=rows,
                        features=features,
                        model=model,
                    )
                )
                because = judged.outputs["because"]
                with dsl.If(judged.outputs["passed"] == True, name="passed"):  # noqa: E712  a condition in the IR
                    final = heavy(refit(project=project, window=window, features=features, model=model))
                    fresh = placed(
                        materialize(project=project, until=until, rows=rows, features=features), cached=False
                    )
                    registered = publish(
                        project,
                        until,
                        key,
                        claims,
                        passed=True,
                        because=because,
                        features=features,
                        model=final.outputs["final"],
                    )
                    registered.after(fresh)
                with dsl.Else(name="refused"):
                    publish(
                        project,
                        until,
                        key,
                        claims,
                        passed=False,
                        because=because,
                        features=features,
                        model=model,
                    )

    return pipeline
