#!/usr/bin/env python3
"""run_commands.py MANIFESTS PROGRAMS SCRATCH

Runs what the containers of the manifests run, here, with volumes as a kubelet lays them out and
with keys as the README makes them.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

try:
    import manifests
except ImportError as missing:
    print(f"skipped: {missing}; scripts/setup installs it")
    sys.exit(77)


def publish(directory, files, mode):
    """The way of a kubelet to change all files of a Secret or ConfigMap at once."""
    directory.mkdir(exist_ok=True)
    version = directory / f"..{len(list(directory.iterdir()))}"
    version.mkdir()
    for file in files:
        shutil.copy(file, version)
        (version / file.name).chmod(mode)
    (directory / "..data_tmp").symlink_to(version.name)
    (directory / "..data_tmp").rename(directory / "..data")
    for old in directory.glob("[!.]*"):
        old.unlink()
    for file in files:
        (directory / file.name).symlink_to(f"..data/{file.name}")


class Pod:
    def __init__(self, scratch, manifest, objects, fields, addresses):
        """Of a Secret or ConfigMap `objects` has the files; `fields` are the pod's own."""
        self.pod = manifests.pod_template(manifest)["spec"]
        self.fields, self.addresses = fields, addresses
        self.volumes = {}
        claims = [each["metadata"] for each in manifest["spec"].get("volumeClaimTemplates", [])]
        for volume in self.pod["volumes"] + claims:
            path = self.volumes[volume["name"]] = scratch / volume["name"]
            path.mkdir(parents=True)
            if "secret" in volume:
                publish(path, objects[volume["secret"]["secretName"]],
                        volume["secret"]["defaultMode"])
            elif "configMap" in volume:
                publish(path, objects[volume["configMap"]["name"]], 0o644)

    def start(self, container):
        """With paths of volumes in the place of where they are mounted."""
        mounts = {each["mountPath"]: self.volumes[each["name"]]
                  for each in container["volumeMounts"]}
        for path, volume in mounts.items():
            for outer in mounts:
                if path.startswith(outer + "/"):
                    inner = mounts[outer] / path[len(outer) + 1:]
                    inner.parent.mkdir(exist_ok=True)
                    inner.symlink_to(volume)
        mounted = re.compile("(?<![^=])(" + "|".join(mounts) + ")(?![^/])")
        variables = {each["name"]: each["value"] if "value" in each else
                     self.fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
                     for each in container.get("env", [])}
        words = []
        for word in container["command"] + container.get("args", []):
            word = manifests.VARIABLE.sub(lambda found: variables[found[1]], word)
            for address, here in self.addresses.items():
                word = word.replace(address, here)
            words.append(mounted.sub(lambda found: str(mounts[found[1]]), word))
        print("runs", *words, flush=True)
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True,
                                env={"PATH": os.environ["PATH"], **variables})

    def run(self):
        for container in self.pod["initContainers"]:
            process = self.start(container)
            _, errors = process.communicate()
            assert process.returncode == 0, errors
        (container,) = self.pod["containers"]
        return self.start(container)


def wait_for(process, pattern):
    """Until it says so, or ends; the test's own time limit bounds it."""
    for line in process.stderr:
        print(line, end="", flush=True)
        found = re.search(pattern, line)
        if found:
            return found
    raise AssertionError(f"it ended and never said '{pattern}'")


def stop(process):
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    print(errors, end="", flush=True)
    assert process.returncode == 0, process.returncode


def make_keys(readme, scratch):
    """As the README says. The files of each Secret and ConfigMap."""
    for command in re.findall(r"^muster keys .*", readme, re.MULTILINE):
        subprocess.run(command.split(), check=True, cwd=scratch)
    created = re.findall(
        r"^kubectl create (?:secret generic|configmap) (\S+)((?: --from-file=\S+)+)", readme,
        re.MULTILINE)
    return {name: [scratch / each for each in re.findall(r"--from-file=(\S+)", files)]
            for name, files in created}


def ask(*words):
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    print("$", *words, done.stderr, sep=" ", flush=True)
    return done


def main():
    directory, programs, scratch = (pathlib.Path(each) for each in sys.argv[1:])
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    found = {each["kind"]: each for _, each in manifests.read(directory)}
    objects = make_keys((directory / "README.md").read_text("utf-8"), scratch)

    coordinator = Pod(scratch / "coordinator", found["StatefulSet"], objects, {},
                      {"tcp://0.0.0.0:7600": "tcp://127.0.0.1:0"})
    processes = [coordinator.run()]
    try:
        address = wait_for(processes[0], "listening at (.*), with keys")[1]
        host, port = address.removeprefix("tcp://").split(":")
        for _ in range(100):  # what a tcpSocket probe does
            socket.create_connection((host, int(port))).close()

        index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
        fields = {"metadata.name": "muster-worker-a", "status.podIP": "127.0.0.1", index: "7"}
        for kind, name in (("Deployment", "muster-worker-a"), ("Job", "muster-batch-7")):
            worker = Pod(scratch / name, found[kind], objects, fields,
                         {"tcp://muster-coordinator:7600": address})
            processes.append(worker.run())
            wait_for(processes[-1], f"worker '{name}' has joined")

        reach = ["--coordinator", address, "--keys", str(scratch / "keys")]
        listed = ask("muster", "workers", *reach)
        assert "muster-worker-a" in listed.stdout and "muster-batch-7" in listed.stdout, listed
        counted = ask("muster", "run", "wordcount", str(directory / "README.md"), *reach,
                      "--tmp", str(scratch))
        assert "\nkubelet\t" in counted.stdout, counted

        publish(coordinator.volumes["clients"], [], 0o644)
        refused = ask("muster", "workers", *reach)
        assert refused.returncode == 1 and "does not know this key" in refused.stderr, refused

        while processes:
            stop(processes.pop())
    finally:
        for each in processes:
            each.kill()


main()
