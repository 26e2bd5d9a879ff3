"""How much memory wafer has had."""


def host_peak_kib(pid):
    """The most that a process had so far, since it is wafer: its starter's own
    copy of this program doesn't count. 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            status = dict(line.split(":", 1) for line in file)
    except OSError:
        return 0
    if status["Name"].strip() != "wafer":
        return 0
    return int(status.get("VmHWM", "0 kB").split()[0])
