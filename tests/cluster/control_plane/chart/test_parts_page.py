"""docs/install.md, "KServe and a gateway": its lines on the charts that they name, its objects on an API server."""

import json
import shlex
import shutil

import pytest
import yaml

from tests.cluster.control_plane.chart.release import ROOT, helm, kubectl, page_blocks, person

pytestmark = pytest.mark.xdist_group("chart")


def lines():
    """(release, chart, version, the line's `--set` words) of each line on the page."""
    for line in "".join(page_blocks("parts")).splitlines():
        words = shlex.split(line)
        assert words[:3] == ["helm", "upgrade", "--install"]
        version = words[words.index("--version") + 1]
        sets = [word for at, word in enumerate(words) if words[at - 1] == "--set"]
        yield words[3], words[4], version, sets


def test_the_page_has_the_lines_and_the_objects_that_doctor_gives():
    from tests.cluster.kube.manifests import parsed
    from trimtab.adapters.kubernetes import parts

    given = [parts.ENVOY_GATEWAY, parts.CERT_MANAGER, parts.KSERVE_KINDS, parts.KSERVE_MANAGER]
    assert "".join(page_blocks("parts")).splitlines() == given
    (block,) = page_blocks("gateway")
    shown = parsed(block.partition("<<'END'\n")[2].partition("\nEND\n")[0])
    folder = ROOT / "manifests" / "gateway"
    held = [
        one for name in ("gatewayclass", "gateway") for one in parsed((folder / f"{name}.yaml").read_text())
    ]
    assert sorted(map(json.dumps, shown)) == sorted(map(json.dumps, held))


def test_the_versions_are_those_that_are_tested():
    from tests.cluster.kube import versions
    from trimtab.adapters.kubernetes import parts

    assert versions.GATEWAY_API == parts.GATEWAY_API_VERSION
    assert versions.KUBERAY.removeprefix("v") == parts.KUBERAY_VERSION
    held = {release: version for release, _, version, _ in lines()}
    assert held["eg"] == versions.ENVOY_GATEWAY
    assert held["kserve"] == held["kserve-crd"] == versions.KSERVE


def test_kserves_own_chart_understands_what_the_page_sets(bare_helm):
    """A value that it does not know would be passed over in silence."""
    from tests.cluster.kube.manifests import parsed
    from tests.cluster.kube.modules import kserve

    (sets,) = [given for release, _, _, given in lines() if release == "kserve"]
    chart = kserve() / "charts" / "kserve-resources"
    given = [word for one in sets for word in ("--set", one)]
    made = parsed(bare_helm.done("template", "kserve", str(chart), "-n", "kserve", *given))
    config = next(one for one in made if one["metadata"]["name"] == "inferenceservice-config")["data"]
    assert json.loads(config["deploy"]) == {
        **json.loads(config["deploy"]),
        "defaultDeploymentMode": "Standard",
    }
    ingress = json.loads(config["ingress"])
    assert ingress["enableGatewayApi"]
    assert ingress["disableIstioVirtualHost"]
    assert ingress["kserveIngressGateway"] == "gateways/public"


@pytest.fixture
def with_envoy_gateway(own_control_plane, tmp_path):
    """An API server after the page's first line, by the chart of that version; no pods run."""
    from tests.cluster.kube import images
    from tests.cluster.kube.gateway import chart

    place = tmp_path / "gateway-helm"
    shutil.copytree(chart(), place)
    template = (place / "values.tmpl.yaml").read_text()
    filled = template.replace("${GatewayImage}", images.ENVOY_GATEWAY)
    (place / "values.yaml").write_text(filled.replace("${GatewayImagePullPolicy}", "IfNotPresent"))
    there = helm(tmp_path, own_control_plane.kubeconfig)
    there.done("install", "eg", str(place), "-n", "envoy-gateway-system", "--create-namespace", "--no-hooks")
    return own_control_plane


def test_the_gateway_of_the_page_is_taken_strictly_and_is_the_one_that_the_samples_name(
    with_envoy_gateway, tmp_path, doctor
):
    from tests.cluster.kube import versions

    plane = with_envoy_gateway
    there = kubectl(plane.kubeconfig, "get", "gatewayclasses,gateways", "-A", "-o", "name").stdout
    assert there == "", "the chart makes none, as the page says"
    script = "\n".join([*page_blocks("gateway"), *page_blocks("gateway-inside")])
    person(
        script.replace("kubectl apply -f", "kubectl apply --validate=strict -f"), tmp_path, plane.kubeconfig
    )
    said = kubectl(plane.kubeconfig, "get", "gateway", "public", "-n", "gateways", "-o", "yaml").stdout
    made = yaml.safe_load(said)
    kind = made["spec"]["infrastructure"]["parametersRef"]["kind"]
    name = made["spec"]["infrastructure"]["parametersRef"]["name"]
    assert kubectl(plane.kubeconfig, "get", kind, name, "-n", "gateways", "-o", "name").stdout
    found = doctor(plane.kubeconfig)[1]["gateway"]
    assert f"class envoy of Envoy Gateway {versions.ENVOY_GATEWAY}: 0 of 1 programmed" in found["said"]
