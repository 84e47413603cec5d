"""Checks each document of a Kubernetes file against the schemas of its version, and checks that the documents match.

Usage: check_kubernetes.py FILE FOLDER; writes the configuration of each ConfigMap to FOLDER.
"""
import pathlib
import sys

import kubernetes_validate
import yaml

VERSION = "1.33"
# Fields that the definition of the Prometheus Operator requires.
SERVICE_MONITOR = {"selector": dict, "endpoints": list}


def main(path, folder):
    documents = [document for document in yaml.safe_load_all(open(path, encoding="utf-8")) if document]
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for document in documents:
        name = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] == "ServiceMonitor":
            check_service_monitor(document, documents)
        else:
            kubernetes_validate.validate(document, VERSION, strict=True)
        for key, text in document.get("data", {}).items():
            (out / key).write_text(text, encoding="utf-8")
        print(f"{path}: {name}: valid")
    check_deployment(documents)


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def check_service_monitor(monitor, documents):
    spec = monitor["spec"]
    for key, kind in SERVICE_MONITOR.items():
        assert isinstance(spec.get(key), kind), f"ServiceMonitor: spec.{key} is no {kind.__name__}"
    wanted = spec["selector"]["matchLabels"].items()
    services = [one for one in of_kind(documents, "Service") if wanted <= one["metadata"].get("labels", {}).items()]
    assert services, "ServiceMonitor: its selector matches no Service"
    ports = {port["name"] for service in services for port in service["spec"]["ports"]}
    for endpoint in spec["endpoints"]:
        assert endpoint["port"] in ports, f"ServiceMonitor: no Service has a port {endpoint['port']}"


def check_deployment(documents):
    names = {(one["kind"], one["metadata"]["name"]) for one in documents}
    for deployment in of_kind(documents, "Deployment"):
        pod = deployment["spec"]["template"]
        spec = pod["spec"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        volumes = {volume["name"] for volume in spec["volumes"]}
        for volume in spec["volumes"]:
            source = ("ConfigMap", volume["configMap"]["name"]) if "configMap" in volume else ("Secret", volume["secret"]["secretName"])
            assert source in names, f"there is no {source}"
        containers = spec["containers"] + spec.get("initContainers", [])
        ports = {port["name"] for container in containers for port in container.get("ports", [])}
        for container in containers:
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe in container:
                    assert container[probe]["httpGet"]["port"] in ports
        for service in of_kind(documents, "Service"):
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


if __name__ == "__main__":
    main(*sys.argv[1:])
