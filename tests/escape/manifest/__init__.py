"""What is attempted: one module a heading, each with ROWS and LATER."""

import importlib

HEADINGS = (
    "system_calls",
    "processes",
    "files",
    "ipc",
    "network",
    "resources",
    "zygote",
    "interface",
)


def headings():
    """Yields (heading, rows, what is for later)."""
    for name in HEADINGS:
        module = importlib.import_module(f"manifest.{name}")
        yield module.HEADING, module.ROWS, getattr(module, "LATER", [])
