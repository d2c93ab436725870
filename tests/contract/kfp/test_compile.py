"""What compile.py changes of kfp while it builds a pipeline is where we think it is."""

import inspect

import pytest

pytestmark = pytest.mark.xdist_group("kfp")


def test_kfp_reads_its_callers_name_off_the_two_frames_that_it_is_given():
    from kfp import dsl
    from kfp.dsl import pipeline_task

    from trimtab.adapters.kfp import compile as compiling

    @dsl.component(base_image="trimtab:0.1.0", install_kfp_package=False)
    def one_step() -> str:
        return ""

    @dsl.pipeline(name="inner")
    def inner():
        one_step()

    def outer():
        inner().set_cpu_limit("1")

    with compiling._short_stacks(), pytest.raises(ValueError, match=r"^set_cpu_limit can only be used on"):
        dsl.pipeline(name="outer")(outer)
    assert pipeline_task.inspect is inspect
