"""Manifests and the compose file: what kubectl renders is valid, hardened, and names what there is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from detector.config import load_config
from detector.sinks.web import DEFAULT
from tests.conftest import ROOT
from tests.e2e.broker import Unavailable, skip_or_fail
from tests.e2e.monitoring import installed

CONFIGS = ROOT / "configs"
KUSTOMIZED = ("base", "sidecar", "strimzi")
OPERATORS = {  # their schemas come with their operators
    "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "KafkaTopic": "kafka.strimzi.io/v1",
    "KafkaUser": "kafka.strimzi.io/v1",
}
OBJECT = {"apiVersion", "kind", "metadata", "spec"}
ACL_OPERATIONS = {
    "Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction", "AlterConfigs", "DescribeConfigs",
    "IdempotentWrite", "All",
}  # https://strimzi.io/docs/operators/latest/configuring.html#type-AclRule-reference  # fmt: skip
PORT = int(DEFAULT.rpartition(":")[2])


def pod_monitor(document: dict[str, Any]) -> None:
    """https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PodMonitorSpec"""
    spec = document["spec"]
    assert set(spec) <= {"selector", "jobLabel", "podMetricsEndpoints", "namespaceSelector", "podTargetLabels"}
    (workload,) = [one for one in rendered("base") if one["kind"] == "StatefulSet"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items(), "it would find no pod"
    assert labels[spec["jobLabel"]] == "detector", "the rules ask for this job"
    for endpoint in spec["podMetricsEndpoints"]:
        assert set(endpoint) <= {"port", "interval", "path", "scheme", "scrapeTimeout"}
        ports = [port["name"] for one in workload["spec"]["template"]["spec"]["containers"] for port in one["ports"]]
        assert endpoint["port"] in ports


def prometheus_rule(document: dict[str, Any]) -> None:
    """https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.Rule"""
    for group in document["spec"]["groups"]:
        assert set(group) == {"name", "interval", "rules"}
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "record", "expr", "for", "labels", "annotations"}
            assert ("alert" in rule) != ("record" in rule)


def kafka_topic(document: dict[str, Any]) -> None:
    """https://strimzi.io/docs/operators/latest/configuring.html#type-KafkaTopicSpec-reference"""
    assert set(document["spec"]) <= {"topicName", "partitions", "replicas", "config"}
    assert "strimzi.io/cluster" in document["metadata"]["labels"]
    assert int(document["spec"]["config"]["min.insync.replicas"]) < document["spec"]["replicas"]


def kafka_user(document: dict[str, Any]) -> None:
    """https://strimzi.io/docs/operators/latest/configuring.html#type-KafkaUserSpec-reference"""
    spec = document["spec"]
    assert set(spec) <= {"authentication", "authorization", "quotas", "template"}
    assert spec["authentication"] == {"type": "tls"}
    assert (set(spec["authorization"]), spec["authorization"]["type"]) == ({"type", "acls"}, "simple")
    for rule in spec["authorization"]["acls"]:
        assert set(rule) <= {"type", "resource", "host", "operations"}
        assert set(rule["operations"]) <= ACL_OPERATIONS
        assert rule["resource"]["type"] in {"topic", "group", "cluster", "transactionalId"}
        assert set(rule["resource"]) <= {"type", "name", "patternType"}


OPERATED = {
    "PodMonitor": pod_monitor, "PrometheusRule": prometheus_rule, "KafkaTopic": kafka_topic, "KafkaUser": kafka_user,
}  # fmt: skip


def rendered(name: str) -> list[dict[str, Any]]:
    """What kustomize makes of a folder."""
    own = shutil.which("kustomize") or shutil.which(str(ROOT / ".cache" / "bin" / "kustomize"))
    if own is None and shutil.which("kubectl") is None:
        skip_or_fail(Unavailable("needs kubectl or kustomize; `make check-deploy` builds it"))
    tool = [own, "build"] if own else ["kubectl", "kustomize"]
    command = [*tool, str(CONFIGS / "kubernetes" / name)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize("name", KUSTOMIZED)
def test_manifests_are_valid(name: str) -> None:
    """Against Kubernetes' own schemas, strictly; those of operators by their version."""
    documents = rendered(name)
    assert documents
    for document in documents:
        if document["kind"] in OPERATORS:
            assert (document["apiVersion"], set(document)) == (OPERATORS[document["kind"]], OBJECT)
            OPERATED[document["kind"]](document)
            continue
        kubernetes_validate.validate(document, "1.34", strict=True)


@pytest.mark.parametrize("name", ["base", "sidecar"])
def test_containers_are_hardened(name: str) -> None:
    """Detector runs as nobody in particular, on a root it cannot write, with its state and /tmp mounted."""
    (workload,) = [one for one in rendered(name) if one["kind"] in ("StatefulSet", "Deployment")]
    pod = workload["spec"]["template"]["spec"]
    containers = [*pod["containers"], *pod.get("initContainers", [])]
    (container,) = [one for one in containers if one["name"] == "detector"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    own = container["securityContext"]
    assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert {"/tmp", "/var/lib/detector"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["ports"] == [{"containerPort": PORT, "name": "metrics"}]
    if name == "sidecar":
        assert container["restartPolicy"] == "Always"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*/**/detector.yaml")), ids=lambda path: path.parent.name)
def test_configurations_are_valid(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is what `detector check` takes, once its secrets are where they are mounted."""
    monkeypatch.setenv("POD_NAME", "detector-0")
    (tmp_path / "secret").write_bytes(b"k" * 32)
    text = path.read_text()
    for mounted in (
        "/run/detector/key",
        "/run/kafka-ca/ca.crt",
        "/run/kafka-user/user.crt",
        "/run/kafka-user/user.key",
    ):
        text = text.replace(mounted, str(tmp_path / "secret"))
    (tmp_path / "detector.yaml").write_text(text)
    config = load_config(tmp_path / "detector.yaml")
    assert config.web.listen_address.endswith(f":{PORT}")


def test_compose_mounts_what_there_is() -> None:
    """Each file mounted from the checkout exists, and Prometheus takes its configuration."""
    folder = CONFIGS / "compose"
    services = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    assert {"kafka", "detector", "prometheus", "alertmanager", "grafana"} <= services.keys()
    mounts = [mount for service in services.values() for mount in service.get("volumes", ()) if mount.startswith(".")]
    assert all((folder / mount.partition(":")[0]).exists() for mount in mounts), mounts
    try:
        promtool = installed("promtool")
    except Unavailable as why:
        skip_or_fail(why)
    command = [promtool, "check", "config", str(folder / "prometheus.yaml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
