"""Folders and files of the host inside a job."""

import os
import stat
import subprocess

import pytest

from waiting import wait_for

WRITE = """\
import os
os.umask(0o022)
with open("/data/out.csv", "w") as file:
    file.write("a,b\\n")
os.makedirs("/data/day=1/hour=2")
os.symlink("out.csv", "/data/link")
status = os.stat("/data/out.csv")
print(status.st_uid, status.st_gid)
"""

ATTRIBUTES = """\
for line in open("/proc/self/mountinfo"):
    fields = line.split()
    if fields[4] == "/data":
        print(*sorted(fields[5].split(",")))
"""


def all_below(folder):
    return [folder, *sorted(folder.rglob("*"))]


def test_read_only_is_the_default(wafer):
    source = wafer.folder("source")
    (source / "in.csv").write_text("x,y\n")
    script = """\
        import errno
        print(open("/data/in/in.csv").read(), end="")
        try:
            open("/data/in/new", "w")
        except OSError as error:
            print(errno.errorcode[error.errno])
        """
    for suffix in ("", ":ro"):
        outcome = wafer.run(script, f"--mount={source}:/data/in{suffix}")
        assert outcome.check(0, "SUCCEEDED").lines == ["x,y", "EROFS"]
    assert os.listdir(source) == ["in.csv"]


def test_files_belong_to_the_sources_owner(root_wafer, third_user):
    """A folder that is a third user's alone: an id-mapped mount."""
    source = root_wafer.folder("third", 0o700)
    (source / "in.csv").write_text("x\n")
    for path in all_below(source):
        os.chown(path, third_user.pw_uid, third_user.pw_gid)
    script = WRITE + "print(open('/data/in.csv').read(), end='')\n"
    outcome = root_wafer.run(script, f"--mount={source}:/data:rw")
    outcome.check(0, "SUCCEEDED")
    assert outcome.lines == ["1000 1000", "x"]
    assert (source / "out.csv").read_text() == "a,b\n"
    for path in all_below(source):
        status = path.lstat()
        owner = (status.st_uid, status.st_gid)
        assert owner == (third_user.pw_uid, third_user.pw_gid), path


def test_files_of_others_stay_out_of_reach(root_wafer, third_user):
    """A rw mount gives the rights of its owner, and nobody else's."""
    source = root_wafer.folder("third", 0o755)
    secret = source / "of_root"
    secret.write_text("x")
    secret.chmod(0o600)
    os.chown(source, third_user.pw_uid, third_user.pw_gid)
    script = """\
        import errno
        try:
            open("/data/of_root")
        except OSError as error:
            print(errno.errorcode[error.errno])
        """
    outcome = root_wafer.run(script, f"--mount={source}:/data:rw")
    assert outcome.check(0, "SUCCEEDED").lines == ["EACCES"]


def test_a_plain_user_writes_as_himself(plain_wafer):
    source = plain_wafer.folder("out")
    mount = f"--mount={source}:/data:rw"
    outcome = plain_wafer.run(WRITE, mount, "--allow-missing=uid")
    outcome.check(0, "SUCCEEDED")
    assert "uid" in outcome.report["walls"]["missing"]
    for path in all_below(source):
        assert path.lstat().st_uid == plain_wafer.user.pw_uid, path


def test_a_plain_user_is_told_what_it_takes(plain_wafer):
    source = plain_wafer.folder("out")
    outcome = plain_wafer.run("pass", f"--mount={source}:/data:rw")
    outcome.check(125)
    (message,) = outcome.messages
    assert "--allow-missing=" in message
    assert "uid" in message.split("--allow-missing=")[1]


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_nosuid_and_nodev(root_wafer, mode):
    source = root_wafer.folder("source")
    outcome = root_wafer.run(ATTRIBUTES, f"--mount={source}:/data:{mode}")
    attributes = outcome.check(0, "SUCCEEDED").lines[0].split()
    assert {mode, "nosuid", "nodev"} <= set(attributes)


def test_nosuid_and_nodev_of_a_plain_user(plain_wafer):
    source = plain_wafer.folder("source")
    options = (f"--mount={source}:/data:rw", "--allow-missing=uid")
    outcome = plain_wafer.run(ATTRIBUTES, *options)
    attributes = outcome.check(0, "SUCCEEDED").lines[0].split()
    assert {"rw", "nosuid", "nodev"} <= set(attributes)


def test_no_setuid_file_can_be_made(root_wafer, third_user):
    """With such a file the job would leave the owner's rights on the host."""
    source = root_wafer.folder("third")
    os.chown(source, third_user.pw_uid, third_user.pw_gid)
    script = """\
        import errno, os, shutil
        shutil.copy("/bin/sh", "/data/sh")
        def attempt(call, *arguments):
            try:
                call(*arguments)
                print("done")
            except OSError as error:
                print(errno.errorcode[error.errno])
        for bits in (0o4755, 0o2755, 0o6755):
            attempt(os.chmod, "/data/sh", bits)
        attempt(os.open, "/data/x", os.O_CREAT | os.O_WRONLY, 0o4755)
        attempt(os.mkdir, "/data/y", 0o2777)
        attempt(os.mknod, "/data/z", 0o4755)
        attempt(os.mknod, "/data/dev", 0o020666, os.makedev(1, 3))
        attempt(os.chmod, "/data/sh", 0o1755)
        """
    outcome = root_wafer.run(script, f"--mount={source}:/data:rw")
    assert outcome.check(0, "SUCCEEDED").lines == ["EPERM"] * 7 + ["done"]
    for path in all_below(source):
        mode = path.lstat().st_mode
        assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        assert not stat.S_ISCHR(mode), path


def test_setuid_files_of_the_source_give_nothing(root_wafer):
    source = root_wafer.folder("source")
    subprocess.run(["cp", "/usr/bin/id", source / "id"], check=True)
    os.chmod(source / "id", 0o4755)
    script = """\
        import subprocess
        print(subprocess.run(["/data/id", "-u"], capture_output=True).stdout)
        """
    outcome = root_wafer.run(script, f"--mount={source}:/data")
    assert outcome.check(0, "SUCCEEDED").lines == ["b'1000\\n'"]


def test_a_single_file(wafer):
    file = wafer.file("settings.json", '{"a": 1}')
    script = "print(open('/data/settings.json').read())"
    outcome = wafer.run(script, f"--mount={file}:/data/settings.json")
    assert outcome.check(0, "SUCCEEDED").lines == ['{"a": 1}']


def test_several_mounts_and_a_relative_source(wafer):
    (wafer.folder("work/in") / "x").write_text("from in\n")
    (wafer.folder("other") / "y").write_text("from other\n")
    script = "print(open('/data/in/x').read() + open('/data/o/y').read())"
    outcome = wafer.run(
        script, "--mount=in:/data/in", f"--mount={wafer.base}/other:/data/o"
    )
    assert outcome.check(0, "SUCCEEDED").stdout == b"from in\nfrom other\n\n"
    assert len(outcome.report["mounts"]) == 2


def test_links_lead_nowhere_on_the_host(root_wafer):
    source = root_wafer.folder("source")
    (source / "absolute").symlink_to("/etc/shadow")
    (source / "upwards").symlink_to("../../../../../../etc/shadow")
    script = """\
        for name in ("absolute", "upwards"):
            try:
                open("/data/" + name)
            except FileNotFoundError:
                print("nothing there")
        """
    outcome = root_wafer.run(script, f"--mount={source}:/data")
    assert outcome.check(0, "SUCCEEDED").lines == ["nothing there"] * 2


def test_what_is_mounted_below_the_source_stays_away(root_wafer):
    source = root_wafer.folder("source")
    below = root_wafer.folder("source/below")
    subprocess.run(["mount", "-t", "tmpfs", "none", below], check=True)
    try:
        (below / "hidden").touch()
        script = "import os; print(os.listdir('/data/below'))"
        outcome = root_wafer.run(script, f"--mount={source}:/data")
        assert outcome.check(0, "SUCCEEDED").lines == ["[]"]
    finally:
        subprocess.run(["umount", below], check=True)


def test_a_file_system_without_id_maps_is_refused(root_wafer, third_user):
    """ramfs can't: one line says so, and nothing ran."""
    source = root_wafer.folder("source")
    subprocess.run(["mount", "-t", "ramfs", "none", source], check=True)
    try:
        os.chown(source, third_user.pw_uid, third_user.pw_gid)
        outcome = root_wafer.run("print(1)", f"--mount={source}:/data:rw")
        outcome.check(125)
        assert outcome.stdout == b""
        message = outcome.messages[0]
        assert str(source) in message and "map" in message
        for record in root_wafer.records():
            assert (record["state"], record["billed_seconds"]) == ("ERROR", 0)
    finally:
        subprocess.run(["umount", source], check=True)


def test_a_mount_is_not_changed_by_the_host(root_wafer):
    """What the host mounts over the source later doesn't show inside."""
    source = root_wafer.folder("source")
    script = """\
        import os, time
        print("ready", flush=True)
        while not os.path.exists("/data/go"):
            time.sleep(0.01)
        print(os.path.exists("/data/mounted/x"))
        """
    mounted = root_wafer.folder("source/mounted")
    process = root_wafer.start_script(script, f"--mount={source}:/data")
    process.wait_for_output(b"ready\n")
    subprocess.run(["mount", "-t", "tmpfs", "none", mounted], check=True)
    try:
        (mounted / "x").touch()
        (source / "go").touch()
        wait_for(lambda: process.ended, "its end")
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert process.wait().check(0, "SUCCEEDED").lines[-1] == "False"
