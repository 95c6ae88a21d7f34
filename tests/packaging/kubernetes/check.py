#!/usr/bin/env python3
"""check.py MANIFESTS SCHEMA.json VERSION PROGRAM...

That Kubernetes would take the manifests, as far as can be told without it; that they fit each
other; and that our programs have the options in them. Each rule is then broken on purpose, and has
to notice.
"""
import copy
import json
import pathlib
import re
import subprocess
import sys

try:
    import jsonschema
    import manifests
except ImportError as missing:
    print(f"skipped: {missing}; scripts/setup installs it")
    sys.exit(77)


class Rules:
    def __init__(self, schema, version, programs):
        self.definitions = schema["$defs"]
        self.image = f"muster:{version}"
        self.options = {pathlib.Path(each).name: options_of(each) for each in programs}

    def faults(self, manifest):
        """What is wrong with one object: a list of texts."""
        out = self.schema_faults(manifest)
        template = manifests.pod_template(manifest)
        if out or template is None:
            return out
        labels = template["metadata"]["labels"]
        wanted = manifest["spec"].get("selector", {}).get("matchLabels", {})
        if not wanted.items() <= labels.items():
            out.append(f"its selector {wanted} does not select its pods")
        pod = pod_of(manifest)
        volumes = [each["name"] for each in pod["volumes"]]
        volumes += [each["metadata"]["name"]
                    for each in manifest["spec"].get("volumeClaimTemplates", [])]
        mounted = set()
        for container in manifests.containers(pod):
            names = {each["name"] for each in container.get("volumeMounts", [])}
            mounted |= names
            out += [f"volume '{name}' is mounted and not there"
                    for name in sorted(names - set(volumes))]
            out += self.container_faults(container)
        return out + [f"volume '{name}' is not mounted" for name in sorted(set(volumes) - mounted)]

    def schema_faults(self, manifest):
        own = {"apiVersion": manifest.get("apiVersion"), "kind": manifest.get("kind")}
        for name, definition in self.definitions.items():
            fields = definition.get("properties", {})
            if all(fields.get(key, {}).get("enum") == [value] for key, value in own.items()):
                schema = {"$ref": f"#/$defs/{name}", "$defs": self.definitions}
                found = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
                return [f"{each.json_path}: {each.message}" for each in found]
        return [f"there is no schema for {own}"]

    def container_faults(self, container):
        out = []
        if container["image"] != self.image:
            out.append(f"image '{container['image']}' is not '{self.image}'")
        words = container["command"] + container.get("args", [])
        known = {each["name"] for each in container.get("env", [])}
        out += [f"$({name}) is not in env" for word in words
                for name in manifests.VARIABLE.findall(word) if name not in known]
        program = words.pop(0)
        if program in self.options:
            out += [f"{program} has no option '{word}'" for word in words
                    if word.partition("=")[0] not in self.options[program]]
        elif program != "install":
            out.append(f"'{program}' is no program of Muster")
        return out


def options_of(program):
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"--[a-z][a-z-]*", text))


def fitting_faults(objects):
    """What is wrong between objects that are sound one by one."""
    pods = {manifests.title(each): manifests.pod_template(each) for each in objects
            if manifests.pod_template(each)}
    out = []
    for each in objects:
        selector = {"Service": each["spec"].get("selector"),
                    "NetworkPolicy": each["spec"].get("podSelector", {}).get("matchLabels")}
        wanted = selector.get(each["kind"])
        if wanted and not any(wanted.items() <= pod["metadata"]["labels"].items()
                              for pod in pods.values()):
            out.append(f"{manifests.title(each)} selects no pods")
    standing, batch = pods["Deployment muster-worker"]["spec"], pods["Job muster-batch"]["spec"]
    if without_name(standing) != without_name(batch):
        out.append("the pods of workers.yaml and batch.yaml differ")
    return out


def without_name(worker):
    out = copy.deepcopy(worker)
    out.pop("restartPolicy", None)
    (container,) = out["containers"]
    container["args"] = [each for each in container["args"]
                         if not each.startswith(("--name=", "--lifetime="))]
    container["env"] = [each for each in container["env"]
                        if each["name"] not in ("POD_NAME", "INDEX")]
    return out


def pod_of(manifest):
    return manifests.pod_template(manifest)["spec"]


def container_of(manifest):
    return pod_of(manifest)["containers"][0]


# Mistakes in the Deployment, by what is to be said of them.
MISTAKES = {
    "'replica' was unexpected": lambda it: it["spec"].update(replica=2),
    "volumeMounts[0]: Additional properties are not allowed ('mountpath' was unexpected)":
        lambda it: container_of(it)["volumeMounts"][0].update(mountpath="/x"),
    "$.spec.replicas: '2' is not of type 'integer'": lambda it: it["spec"].update(replicas="2"),
    "None is not of type 'integer'": lambda it: it["spec"].update(replicas=None),
    "'selector' is a required property": lambda it: it["spec"].pop("selector"),
    "there is no schema for": lambda it: it.update(apiVersion="apps/v1beta1"),
    "does not select its pods": lambda it: it["spec"]["selector"]["matchLabels"].update(tier="x"),
    "muster-worker has no option '--slot=2'":
        lambda it: container_of(it)["args"].append("--slot=2"),
    "'worker' is no program of Muster": lambda it: container_of(it).update(command=["worker"]),
    "$(POD_NAME) is not in env": lambda it: container_of(it)["env"].clear(),
    "volume 'tmp' is mounted and not there":
        lambda it: container_of(it)["volumeMounts"][0].update(name="tmp"),
    "volume 'more' is not mounted":
        lambda it: pod_of(it)["volumes"].append({"name": "more", "emptyDir": {}}),
    "image 'muster:0.0.1' is not": lambda it: container_of(it).update(image="muster:0.0.1"),
}


# And between objects: the first of a kind is changed.
MISFITS = {
    "Service muster-coordinator selects no pods":
        ("Service", lambda it: it["spec"]["selector"].update(tier="x")),
    "NetworkPolicy muster-coordinator selects no pods":
        ("NetworkPolicy", lambda it: it["spec"]["podSelector"]["matchLabels"].update(tier="x")),
    "the pods of workers.yaml and batch.yaml differ":
        ("Job", lambda it: container_of(it)["args"].append("--slots=2")),
}


def of_kind(objects, kind):
    return next(each for each in objects if each["kind"] == kind)


def break_on_purpose(rules, objects):
    """The mistakes that were not noticed, or not as such."""
    missed = []
    for text, change in MISTAKES.items():
        broken = copy.deepcopy(of_kind(objects, "Deployment"))
        change(broken)
        if not any(text in fault for fault in rules.faults(broken)):
            missed.append(f"planted, and not noticed: {text}: {rules.faults(broken)}")
    for text, (kind, change) in MISFITS.items():
        broken = copy.deepcopy(objects)
        change(of_kind(broken, kind))
        if text not in fitting_faults(broken):
            missed.append(f"planted, and not noticed: {text}: {fitting_faults(broken)}")
    try:
        manifests.parse("replicas: 1\nreplicas: 2\n")
        missed.append("planted, and not noticed: a key twice")
    except manifests.yaml.YAMLError:
        pass  # as it should be
    return missed


def main():
    directory, schema, version, *programs = sys.argv[1:]
    with open(schema, encoding="utf-8") as file:
        rules = Rules(json.load(file), version, programs)
    objects, faults = [], []
    for file, each in manifests.read(directory):
        if each["kind"] == "Kustomization":
            faults += [f"{file}: no file '{name}'" for name in each["resources"]
                       if not (pathlib.Path(directory) / name).exists()]
            continue
        objects.append(each)
        faults += [f"{file}: {manifests.title(each)}: {fault}" for fault in rules.faults(each)]
    if not faults:
        faults = fitting_faults(objects) + break_on_purpose(rules, objects)
    planted = len(MISTAKES) + len(MISFITS) + 1
    print("\n".join(faults) if faults else
          f"{len(objects)} objects are sound, {planted} planted mistakes were noticed")
    return 1 if faults else 0


sys.exit(main())
