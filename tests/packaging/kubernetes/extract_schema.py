#!/usr/bin/env python3
"""extract_schema.py DEFINITIONS.json VERSION >schema.json

Makes the JSON schema that check.py holds manifests to. DEFINITIONS.json is
kubernetes_validate/kubernetes-json-schema/vVERSION-local-strict/_definitions.json in the wheel of
the Python package kubernetes-validate: Kubernetes' own OpenAPI as JSON schemas which refuse fields
that there are not. What is kept is what `kinds` need, less what is in `left_out`.
"""
import json
import sys
import textwrap

kinds = ["apps.v1.Deployment", "apps.v1.StatefulSet", "batch.v1.Job", "core.v1.Service",
         "networking.v1.NetworkPolicy"]
# Not for manifests of ours: what the cluster fills in, files of nodes, storage by its maker.
left_out = set(
    "status managedFields ephemeralContainers windowsOptions hostPath awsElasticBlockStore "
    "azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume flocker gcePersistentDisk "
    "gitRepo glusterfs iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos "
    "vsphereVolume".split())


def short(name):
    return name.removeprefix("io.k8s.").removeprefix("api.").replace("apimachinery.pkg.", "")


def reduced(node):
    """Without descriptions, and without null: a field with nothing behind it is a mistake."""
    if isinstance(node, list):
        return [reduced(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": "#/$defs/" + short(node["$ref"].rsplit("/", 1)[1])}
    out = {}
    for key, value in node.items():
        if key == "properties":
            out[key] = {name: reduced(each) for name, each in value.items() if name not in left_out}
        elif key == "type" and isinstance(value, list):
            (out[key],) = [each for each in value if each != "null"]
        elif key in ("type", "required", "enum", "items", "oneOf", "additionalProperties"):
            out[key] = reduced(value)
    return out


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[1]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each)


def main():
    path, version = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        everything = {short(name): reduced(each) for name, each in json.load(file)["$defs"].items()}
    wanted, kept = list(kinds), {}
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept[name] = everything[name]
            wanted.extend(references(kept[name]))
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": dict(sorted(kept.items())),
    }
    source = f"OpenAPI of Kubernetes {version} (Apache License 2.0), cut down by extract_schema.py"
    print(f'{{"$comment": "{source}",')
    # Nothing in the rest has spaces inside.
    print(textwrap.fill(json.dumps(schema)[1:], 100, break_long_words=False,
                        break_on_hyphens=False))


main()
