"""The manifests in packaging/kubernetes, read as strictly as a cluster reads them."""
import pathlib
import re

import yaml

VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


class UniqueKeys(yaml.SafeLoader):
    """Of two values for one key YAML would take the second."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"'{key}' is there twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def parse(text):
    return list(yaml.load_all(text, UniqueKeys))


def read(directory):
    """(file, object) for each object in the directory."""
    files = sorted(pathlib.Path(directory).glob("*.yaml"))
    return [(file.name, each) for file in files for each in parse(file.read_text("utf-8"))]


def title(manifest):
    return f"{manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"


def pod_template(manifest):
    return manifest.get("spec", {}).get("template")


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]
