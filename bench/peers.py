"""How others start the same script, with the same packages.

Each is a function of a script's path that returns a command line. They run
Debian's python3.11 with -s and -P, and find the packages by PYTHONPATH, so
without the E of -I.
"""

import json
import os

from harness import BWRAP, PYTHON

MEMORY_BYTES = 1 << 30
PIDS = 128
OUTSIDE_IDS = 0x6F000000  # nobody's
# crun refuses a machine with both versions of cgroups, unless it doesn't see
# the second. This costs it a start of unshare and one of sh.
UNIFIED = "/sys/fs/cgroup/unified/cgroup.procs"
WITHOUT_UNIFIED = [
    *("unshare", "--mount", "sh", "-c"),
    'mount -t tmpfs none /sys/fs/cgroup/unified && exec "$0" "$@"',
]


def packages_environment(packages):
    """What a Python needs to find them at this path, as pairs."""
    if packages is None:
        return []
    # As in wafer's zygotes: who forks may have no threads, BLAS's either.
    return [("PYTHONPATH", packages), ("OPENBLAS_NUM_THREADS", "1")]


class Peers:
    def __init__(self, folder, packages):
        self.folder = folder
        self.packages = packages  # a path, or None
        self.count = 0
        self.bundle = folder / "bundle"

    def python(self, script):
        return [PYTHON, "-s", "-P", script]

    def bwrap(self, script):
        extra = []
        if self.packages:
            extra = ["--ro-bind", self.packages, "/packages"]
            for name, value in packages_environment("/packages"):
                extra += ["--setenv", name, value]
        return [
            *(*BWRAP, *extra, "--ro-bind", script, "/script.py", "--"),
            *self.python("/script.py"),
        ]

    def unshare(self, script):
        """Namespaces alone: it sees the machine's files."""
        return [
            *("unshare", "--user", "--map-root-user", "--mount", "--pid"),
            *("--fork", "--mount-proc", "--net", "--ipc", "--uts", "--cgroup"),
            *self.python(script),
        ]

    def systemd_run(self, script):
        variables = [
            f"--setenv={name}={value}"
            for name, value in packages_environment(self.packages)
        ]
        return [
            *("systemd-run", "--pipe", "--wait", "--quiet", "--collect"),
            *("-p", "PrivateNetwork=yes", "-p", "PrivateDevices=yes"),
            *("-p", "PrivateUsers=yes", "-p", "ProtectSystem=strict"),
            *("-p", "NoNewPrivileges=yes", "-p", f"MemoryMax={MEMORY_BYTES}"),
            *("-p", f"TasksMax={PIDS}"),
            *variables,
            *self.python(script),
        ]

    def crun(self, script):
        """A bundle of /usr, with the namespaces of wafer and a cgroup."""
        self.count += 1
        root = self.bundle / "rootfs"
        if not root.exists():
            root.mkdir(parents=True)
            for name in ("bin", "lib", "lib64"):
                os.symlink(f"usr/{name}", root / name)
            for name in ("usr", "proc", "dev", "tmp", "packages"):
                (root / name).mkdir()
            (root / "script.py").touch()
        config = self.bundle / f"config-{self.count}.json"
        config.write_text(json.dumps(self.oci(script)), "utf-8")
        name = f"wafer-bench-{os.getpid()}-{self.count}"
        return [
            *(WITHOUT_UNIFIED if os.path.exists(UNIFIED) else ()),
            *("crun", "--root", str(self.folder / "crun")),
            *("--cgroup-manager", "cgroupfs", "run", "--bundle"),
            *(str(self.bundle), "--config", str(config), name),
        ]

    def oci(self, script):
        variables = ["PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp"]
        mounts = [
            mount("/proc", "proc", "proc", "nosuid", "nodev", "noexec"),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
            mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev"),
            bind("/usr", "/usr"),
            bind(script, "/script.py"),
        ]
        if self.packages:
            mounts.append(bind(self.packages, "/packages"))
            variables += [
                f"{name}={value}"
                for name, value in packages_environment("/packages")
            ]
        ids = [{"containerID": 0, "hostID": OUTSIDE_IDS, "size": 1}]
        spaces = ("pid", "network", "ipc", "uts", "mount", "user", "cgroup")
        return {
            "ociVersion": "1.0.2",
            "root": {"path": "rootfs", "readonly": True},
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": self.python("/script.py"),
                "env": variables,
                "cwd": "/tmp",
                "noNewPrivileges": True,
                "capabilities": {},
            },
            "mounts": mounts,
            "linux": {
                "namespaces": [{"type": space} for space in spaces],
                "uidMappings": ids,
                "gidMappings": ids,
                "resources": {
                    "memory": {"limit": MEMORY_BYTES},
                    "pids": {"limit": PIDS},
                },
            },
        }


def mount(target, kind, source, *options):
    return {
        "destination": target,
        "type": kind,
        "source": source,
        "options": list(options),
    }


def bind(source, target):
    return mount(target, "bind", source, "bind", "ro", "nosuid", "nodev")
