"""Training: from source files to a registered candidate, or to a refusal with its reason.

The IR depends on the environment alone: which project, until when and over which window are parameters of a run.
"""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.admit.component import admit
from components.evaluate.component import evaluate
from components.export.component import export
from components.featurize.component import featurize
from components.materialize.component import materialize
from components.refit.component import refit
from components.register.component import register
from components.report.component import report
from components.train.component import train
from pipelines.data import taken_in
from pipelines.placing import Placing

RUN = dsl.PIPELINE_JOB_ID_PLACEHOLDER


def training(place: Placing) -> Callable[..., Any]:
    """The pipeline for one environment."""

    def publish(
        project: str,
        until: Any,
        key: str,
        claims: str,
        *,
        passed: bool,
        because: Any,
        features: Any,
        model: Any,
        model_version: Any,
    ) -> dsl.PipelineTask:
        exported = place.reading(
            export(project=project, model_version=model_version, features=features, model=model)
        )
        return place.small(
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
            )
        )

    @dsl.pipeline(name="trimtab-training", description="From source files to a candidate, or to a refusal.")
    def pipeline(
        project: str, until: str = "", window: str = "", stable: str = "", key: str = "", claims: str = "",
        force_past_gate: bool = False,
    ) -> None:  # fmt: skip
        """From source files to a candidate, or to a refusal.

        Args:
            project: Address of the project's bundle, which ends in its digest: trimtab pipeline bundle.
            until: RFC 3339; no row or label after it is read. Empty: when the run starts.
            window: How far back examples go, such as 90d; all for no bound. Empty: the project's own.
            stable: Registry version in service, with which the gates compare. Empty: none.
            key: Who asked for this run. Empty: a person.
            claims: Namespace in which the key is claimed. Empty: nowhere.
            force_past_gate: Let a refused model through, and say so; for demonstrations.
        """
        with dsl.ExitHandler(place.last(report(project=project, until=until))):
            admitted = place.asking(admit(key=key, claims=claims, run=RUN))
            with dsl.If(admitted.output == True, name="admitted"):  # noqa: E712  a condition in the IR
                data = taken_in(place, project, until)
                seen = place.long(
                    featurize(project=project, until=data.until, rows_version=data.version, rows=data.rows)
                )
                features = seen.outputs["features"]
                trained = place.fitting(
                    train(
                        project=project,
                        until=data.until,
                        window=window,
                        features_version=seen.outputs["version"],
                        features=features,
                    )
                )
                tested = trained.outputs["run"]
                judged = place.reading(
                    evaluate(
                        project=project,
                        window=window,
                        stable=stable,
                        force_past_gate=force_past_gate,
                        rows_version=data.version,
                        model_version=tested,
                        rows=data.rows,
                        features=features,
                        model=trained.outputs["model"],
                    )
                )
                model, because = judged.outputs["judged"], judged.outputs["because"]
                with dsl.If(judged.outputs["passed"] == True, name="passed"):  # noqa: E712  a condition in the IR
                    final = place.fitting(
                        refit(
                            project=project,
                            window=window,
                            model_version=tested,
                            features=features,
                            model=model,
                        )
                    )
                    fresh = place.reading(
                        materialize(project=project, until=data.until, rows=data.rows, features=features),
                        cached=False,
                        outside=True,
                    )
                    registered = publish(
                        project,
                        data.until,
                        key,
                        claims,
                        passed=True,
                        because=because,
                        features=features,
                        model=final.outputs["final"],
                        model_version=final.outputs["version"],
                    )
                    registered.after(fresh)
                with dsl.Else(name="refused"):
                    publish(
                        project,
                        data.until,
                        key,
                        claims,
                        passed=False,
                        because=because,
                        features=features,
                        model=model,
                        model_version=tested,
                    )

    return pipeline
