"""`wafer doctor`: what this machine can give."""

WALLS = ("namespaces", "seccomp", "landlock", "uid", "cgroup", "scratch")


def test_it_names_each_wall(wafer):
    outcome = wafer.call("doctor")
    text = outcome.stdout.decode()
    for wall in WALLS:
        assert any(wall in line for line in text.splitlines()), wall
    assert "3.11." in text  # the embedded Python
    (backend,) = (
        line for line in text.splitlines() if "cgroup backend" in line
    )
    assert any(word in backend for word in ("v1", "v2", "none"))
    assert "library-set add none" in text


def test_all_green_for_root(root_wafer):
    """And a run with every wall works, as it said."""
    outcome = root_wafer.call("doctor")
    assert outcome.check(0).stderr == b""
    assert "allow-missing" not in outcome.stdout.decode()
    root_wafer.run("pass").check(0, "SUCCEEDED")


def test_a_plain_user_is_told_reason_and_fix(plain_wafer):
    """What it calls missing is what a run is refused for."""
    text = plain_wafer.call("doctor").lines
    plain_wafer.allow = []
    (message,) = plain_wafer.run("pass").check(125).messages
    missing = message.partition("--allow-missing=")[2].split()[0]
    for wall in missing.strip("`'\"().,;:").split(","):
        head = next(
            number
            for number, line in enumerate(text)
            if line.split()[:2] == ["missing", wall]
        )
        assert text[head + 1].split()[0] == "why:"
        assert text[head + 2].split()[0] == "fix:"


def test_it_leaves_no_store(wafer):
    """It looks, and changes nothing."""
    wafer.call("doctor")
    assert not (wafer.state_dir / "wafer.db").exists()
