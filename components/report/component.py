"""What a run did, on one page, however it ended."""

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def report(
    project: str,
    until: str,
    status: dsl.PipelineTaskFinalStatus,
    page: dsl.Output[dsl.HTML],
):
    """Write the run's report; runs last, whatever failed.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; the end of the run's data. "" for when the run began.
        status: How the run ended.
        page: The report.
    """
    from trimtab.bootstrap import component

    component.report(project, until, status, page)
