"""How much memory a process has had."""


def host_peak_kib(pid):
    """The most memory that a process had so far; 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            lines = [line for line in file if line.startswith("VmHWM:")]
    except OSError:
        return 0
    return int(lines[0].split()[1]) if lines else 0
