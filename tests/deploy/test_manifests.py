"""The manifests and the Dockerfile: rendered, held against schemas, linted, and true to the app."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bisenet.runtime.admission import ParseQueue
from bisenet.runtime.settings import VARIABLES, Settings
from bisenet.serving import probe
from bisenet.serving.lifecycle import Lifecycle

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ("gke", "gke-https", "local")
KUBERNETES = ("1.32", "1.37")
# Google's and the Gateway API's own kinds; their fields are held against their published
# definitions in test_kinds_of_google_and_the_gateway_api.
CUSTOM = {"Gateway", "HTTPRoute", "GCPBackendPolicy", "HealthCheckPolicy"}

Manifest = dict[str, Any]


def tool(name: str) -> str:
    """The path of a validator, beside this Python, in the validators' environment or installed."""
    places = os.pathsep.join(
        [
            str(Path(sys.executable).parent),
            str(ROOT / ".venv-validators" / "bin"),
            os.environ.get("PATH", ""),
        ]
    )
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed (make validators)")
    return found


@cache
def render(overlay: str) -> str:
    command = [tool("kubectl"), "kustomize", str(ROOT / "k8s" / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifests(overlay: str) -> dict[str, Manifest]:
    """The overlay's resources by kind (the redirect of the second HTTPRoute aside)."""
    found: dict[str, Manifest] = {}
    for document in yaml.safe_load_all(render(overlay)):
        found.setdefault(document["kind"], document)
    return found


def pod(overlay: str) -> Manifest:
    spec: Manifest = manifests(overlay)["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(overlay: str) -> Manifest:
    (only,) = pod(overlay)["containers"]
    assert isinstance(only, dict)
    return only


def settings_of(overlay: str) -> dict[str, str]:
    found: dict[str, str] = manifests(overlay)["ConfigMap"]["data"]
    return found


@pytest.fixture(scope="module")
def routes() -> set[str]:
    """The app's own paths."""
    from bisenet.server import create_app

    app = create_app(Settings(), Lifecycle(ParseQueue()))
    return {route.path for route in app._user_routes if hasattr(route, "path")}


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_resource_fits_the_schema_strictly(overlay: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kinds = set()
    for document in yaml.safe_load_all(render(overlay)):
        kinds.add(document["kind"])
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, version, strict=True)
    assert {"Deployment", "Service", "NetworkPolicy", "ServiceAccount", "Namespace"} <= kinds


def test_kinds_of_google_and_the_gateway_api() -> None:
    """Field by field, what the policies and routes say; nothing else is in them."""
    found = manifests("gke-https")
    assert set(found) >= CUSTOM
    policy = found["GCPBackendPolicy"]["spec"]
    assert set(policy) == {"default", "targetRef"}
    assert set(policy["default"]) == {"timeoutSec", "sessionAffinity", "connectionDraining"}
    assert policy["default"]["sessionAffinity"]["type"] == "GENERATED_COOKIE"
    check = found["HealthCheckPolicy"]["spec"]
    assert set(check) == {"default", "targetRef"}
    for target in (policy["targetRef"], check["targetRef"]):
        assert target == {"group": "", "kind": "Service", "name": "bisenet"}
    listeners = found["Gateway"]["spec"]["listeners"]
    assert [(one["protocol"], one["port"]) for one in listeners] == [("HTTPS", 443), ("HTTP", 80)]
    service = found["Service"]
    for document in yaml.safe_load_all(render("gke-https")):
        if document["kind"] == "HTTPRoute":
            (parent,) = document["spec"]["parentRefs"]
            assert parent["name"] == found["Gateway"]["metadata"]["name"]
            assert parent["sectionName"] in {one["name"] for one in listeners}
            for rule in document["spec"]["rules"]:
                for backend in rule.get("backendRefs", ()):
                    assert backend["name"] == service["metadata"]["name"]
                    assert backend["port"] in [p["port"] for p in service["spec"]["ports"]]


@pytest.mark.parametrize("overlay", OVERLAYS)
class TestTheAppIsTheOneThatTheManifestsThinkItIs:
    def test_probes_ask_routes_and_ports_that_exist(self, overlay: str, routes: set[str]) -> None:
        one = container(overlay)
        ports = {port["name"]: port["containerPort"] for port in one["ports"]}
        assert str(ports["http"]) == settings_of(overlay)["PORT"]
        expected = {"startup": "/readyz", "readiness": "/readyz", "liveness": "/healthz"}
        for name, path in expected.items():
            request = one[f"{name}Probe"]["httpGet"]
            assert request["path"] == path
            assert path in routes
            assert request["port"] in ports
        # What make drills measures at most is far below it; docs/operations.md has the figures.
        assert one["readinessProbe"]["timeoutSeconds"] >= 5
        assert one["livenessProbe"]["timeoutSeconds"] >= one["readinessProbe"]["timeoutSeconds"]
        # A hung parse is answered with 503 at once; a busy server does not answer in time.
        liveness = one["livenessProbe"]
        stall = Settings(settings_of(overlay)).stall_seconds
        assert stall + liveness["failureThreshold"] * liveness["periodSeconds"] <= 90
        assert liveness["failureThreshold"] * liveness["timeoutSeconds"] >= 60
        for port in manifests(overlay)["Service"]["spec"]["ports"]:
            assert port["targetPort"] in ports
        for rule in manifests(overlay)["NetworkPolicy"]["spec"]["ingress"]:
            assert all(port["port"] in ports for port in rule["ports"])

    def test_variables_exist_and_their_values_are_taken(self, overlay: str) -> None:
        values = settings_of(overlay)
        assert set(values) <= set(VARIABLES)
        assert {entry["name"] for entry in container(overlay)["env"]} <= set(VARIABLES)
        Settings(values).check()
        ParseQueue(int(values["BISENET_MAX_RUNNING"]), int(values["BISENET_MAX_WAITING"]))
        assert int(values["BISENET_THREADS"]) <= float(
            container(overlay)["resources"]["limits"]["cpu"]
        )

    def test_the_pod_has_the_time_to_leave(self, overlay: str) -> None:
        settings = Settings(settings_of(overlay))
        wait = container(overlay)["lifecycle"]["preStop"]["sleep"]["seconds"]
        grace = pod(overlay)["terminationGracePeriodSeconds"]
        assert grace >= wait + settings.shutdown_seconds + 5

    def test_photos_on_their_way_fit_into_memory(self, overlay: str) -> None:
        from bisenet.images.decode import MAX_BYTES

        values = settings_of(overlay)
        places = int(values["BISENET_MAX_RUNNING"]) + int(values["BISENET_MAX_WAITING"])
        (volume,) = pod(overlay)["volumes"]
        assert volume["emptyDir"]["sizeLimit"] == "2Gi"
        limit = container(overlay)["resources"]["limits"]["memory"]
        assert limit.endswith("Gi")
        assert places * MAX_BYTES <= (int(limit[:-2]) - 2) * 2**30, "2 GiB are for parsing"
        (mount,) = container(overlay)["volumeMounts"]
        assert mount["mountPath"] == "/tmp"

    def test_the_pod_is_locked_down(self, overlay: str) -> None:
        spec, one = pod(overlay), container(overlay)
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        user = re.search(r"^USER (\d+):(\d+)$", dockerfile(), re.MULTILINE)
        assert user
        assert spec["securityContext"]["runAsUser"] == int(user[1])
        assert manifests(overlay)["NetworkPolicy"]["spec"]["egress"] == []

    def test_the_cookie_secret_is_shared(self, overlay: str) -> None:
        (entry,) = container(overlay)["env"]
        assert entry["name"] == "STREAMLIT_SERVER_COOKIE_SECRET"
        assert set(entry["valueFrom"]) == {"secretKeyRef"}


def test_gke_is_a_load_balancer_with_affinity() -> None:
    spec = manifests("gke")["Service"]["spec"]
    assert spec["type"] == "LoadBalancer"
    assert (spec["ports"][0]["port"], spec["ports"][0]["targetPort"]) == (80, "http")
    assert spec["sessionAffinity"] == "ClientIP"
    assert spec["externalTrafficPolicy"] == "Local"


@pytest.mark.parametrize("overlay", ["gke", "gke-https"])
def test_replicas_survive_a_node_and_a_roll_out(overlay: str) -> None:
    found = manifests(overlay)
    deployment = found["Deployment"]["spec"]
    assert "replicas" not in deployment, "the autoscaler and the manifest would fight over it"
    assert found["HorizontalPodAutoscaler"]["spec"]["minReplicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    keys = [rule["topologyKey"] for rule in pod(overlay)["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_websockets_outlive_the_default_timeout() -> None:
    policy = manifests("gke-https")["GCPBackendPolicy"]["spec"]["default"]
    assert policy["timeoutSec"] >= 3600
    check = manifests("gke-https")["HealthCheckPolicy"]["spec"]["default"]["config"]
    assert check["httpHealthCheck"]["requestPath"] == "/readyz"
    assert str(check["httpHealthCheck"]["port"]) == settings_of("gke-https")["PORT"]
    assert settings_of("gke-https")["BISENET_HTTPS"] == "true"


def test_local_is_one_replica_on_a_node_port() -> None:
    found = manifests("local")
    assert found["Service"]["spec"]["type"] == "NodePort"
    assert found["Deployment"]["spec"]["replicas"] == 1
    assert not {"HorizontalPodAutoscaler", "PodDisruptionBudget"} & set(found)


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def test_the_image_starts_probes_and_copies_what_exists() -> None:
    text = dockerfile()
    port = re.search(r"^EXPOSE (\d+)$", text, re.MULTILINE)
    assert port
    assert f"PORT={port[1]}" in text
    assert settings_of("gke")["PORT"] == port[1]
    (stage,) = re.findall(r"^ENV (.*?)(?<!\\)\n", text, re.MULTILINE | re.DOTALL)
    ours = {n for n in re.findall(r"(\w+)=", stage) if n.startswith(("BISENET", "STREAMLIT"))}
    assert ours <= set(VARIABLES)
    modules = re.findall(r'"-m", "([\w.]+)"', text)
    assert modules == ["bisenet.serving.probe", "bisenet.server"]
    assert container("gke")["readinessProbe"]["httpGet"]["path"] == probe.PATH


def test_the_build_context_is_small_and_holds_what_the_app_reads() -> None:
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    files = [path for pattern in kept for path in ROOT.glob(pattern)]
    for needed in ("requirements.txt", "streamlit_app.py", ".streamlit/config.toml", "pages"):
        assert ROOT / needed in files
    assert not any("tests" in path.parts or "k8s" in path.parts for path in files)


def test_what_the_image_leaves_out_is_imported_by_the_command_line_alone() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "bisenet/training" in ignored
    served = [ROOT / "streamlit_app.py", *(ROOT / "pages").glob("*.py")]
    served += [
        path
        for path in (ROOT / "bisenet").rglob("*.py")
        if path.relative_to(ROOT / "bisenet").parts[0] not in ("cli", "training")
    ]
    training = re.compile(r"^\s*(from|import) bisenet(\.training| import .*training)", re.MULTILINE)
    assert [path for path in served if training.search(path.read_text())] == []


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [tool("hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_checkov_finds_nothing(tmp_path: Path) -> None:
    checkov = tool("checkov")
    (tmp_path / "Dockerfile").write_text(dockerfile())
    for overlay in OVERLAYS:
        (tmp_path / f"{overlay}.yaml").write_text(render(overlay))
    command = [checkov, "--directory", str(tmp_path), "--framework", "dockerfile", "kubernetes"]
    done = subprocess.run(
        [*command, "--output", "json", "--quiet", "--skip-download"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )
    reports = json.loads(done.stdout)
    assert {report["check_type"] for report in reports} == {"dockerfile", "kubernetes"}
    failed = [
        f"{check['check_id']} {check['check_name']} ({check['file_path']} {check['resource']})"
        for report in reports
        for check in report["results"]["failed_checks"]
    ]
    assert not failed
    assert sum(report["summary"]["passed"] for report in reports) > 200
    assert sum(report["summary"]["parsing_errors"] for report in reports) == 0
