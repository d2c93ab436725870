"""ports.Servers over KServe: one InferenceService a revision, created once and never changed but in its replicas."""

from trimtab.adapters.kserve.fixed_name import name_served
from trimtab.adapters.kserve.servers import KserveServers
from trimtab.adapters.kserve.template import Serving, TemplateRefused, judge_template, template_text

__all__ = ["KserveServers", "Serving", "TemplateRefused", "judge_template", "name_served", "template_text"]
