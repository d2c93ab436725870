"""A stretch of time cut into periods, and the one model for all of them."""

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def periods(project: str, since: str, until: str, every: str, model: str) -> list:
    """Cut [since, until) into periods of one length, the last one shorter.

    Args:
        project: A bundle's address, which ends in its digest.
        since: RFC 3339; where the first begins.
        until: RFC 3339; where the last ends.
        every: Length of a period, such as 7d.
        model: Registry version; "" for the stable one, else the candidate.

    Returns:
        {since, until, model} of each, oldest first; model is one version, though an alias moves meanwhile.
    """
    from trimtab.bootstrap import prediction

    return prediction.periods(project, since, until, every, model)
