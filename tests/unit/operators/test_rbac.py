"""The operator's rights, as one table."""

from operators.drift.rbac import RULES, cluster_wide, namespaced

ESCALATING = {"escalate", "bind", "*"}


def rules(objects, kind):
    return [rule for obj in objects if obj["kind"] == kind for rule in obj["rules"]]


def test_nothing_lets_it_give_itself_rights_or_read_secrets():
    for rule in RULES:
        assert not ESCALATING & {*rule.verbs, *rule.resources, rule.group}
        assert "secrets" not in rule.resources


def test_a_role_in_each_namespace_holds_what_the_cluster_s_holds_there():
    wide = rules(cluster_wide(), "ClusterRole")
    made = namespaced(["team-a", "team-b"])
    narrow = [
        obj for obj in made if obj["kind"] == "Role" and obj["metadata"]["namespace"].startswith("team-")
    ]
    assert [obj["metadata"]["namespace"] for obj in narrow] == ["team-a", "team-b"]
    assert narrow[0]["rules"] == narrow[1]["rules"]
    assert sorted(map(str, wide)) == sorted(map(str, narrow[0]["rules"] + rules(made, "ClusterRole")))


def test_every_role_is_bound_to_the_account_that_the_deployment_names():
    for objects in (cluster_wide("mine"), namespaced(["team-a"], "mine")):
        roles = {
            (o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"])
            for o in objects
            if "rules" in o
        }
        bound = {
            (o["roleRef"]["kind"], o["metadata"].get("namespace"), o["roleRef"]["name"])
            for o in objects
            if "roleRef" in o
        }
        assert roles == bound
        subjects = [subject for o in objects for subject in o.get("subjects", [])]
        account = {"kind": "ServiceAccount", "name": "trimtab-operator", "namespace": "mine"}
        assert all(subject == account for subject in subjects)
