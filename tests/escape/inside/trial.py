"""What every payload imports first: the guard, and how a try is told.

A payload names its tries and ends with `trial.main()`:

    import trial

    @trial.attempt("mount")
    def mount():
        trial.call(165, b"none", b"/tmp", b"nosuchfs", 0, 0)

A try answers with an errno's name (it raised OSError), with the text that it
returned, or with "OK". One of `in_child=True` is made by a child, and the
signal that ended that is an answer, too. The runner gives one argument, JSON:

    {"rows": names of what to try, "away": walls, "facts": {name: value}}

and each try is one line on stdout: "@try " and {"try": name, "got": answer}.
What isn't an answer (a slip of the payload's own) is told as "crash: ...".
"""

import ctypes
import errno
import json
import os
import signal
import sys

import guard

REFUSED_STATUS = 3

facts = {}
_attempts = {}
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _start():
    """Before a payload's first own line: it may not so much as be imported."""
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    reason = guard.refusal(guard.look(), given.get("away", ()))
    if reason:
        print(f"refused: {reason}", flush=True)
        os._exit(REFUSED_STATUS)
    facts.update(given.get("facts", {}))
    return given


_given = _start()


class Absent(Exception):
    """The machine lacks what the try needs; its text is the feature's name."""


def away(wall):
    return wall in _given.get("away", ())


def attempt(name, in_child=False):
    def register(function):
        add(name, function, in_child)
        return function

    return register


def add(name, function, in_child=False):
    if name in _attempts:
        raise ValueError(f"two tries have the name {name}")
    _attempts[name] = (function, in_child)


def call(number, *words):
    """A system call by number; texts and buffers go by address."""
    ctypes.set_errno(0)
    arguments = [
        ctypes.c_long(word) if isinstance(word, int) else word
        for word in words
    ]
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result


def libc():
    return _libc


def answer_of(function):
    try:
        got = function()
    except Absent as missing:
        return f"absent: {missing}"
    except OSError as error:
        if error.errno is None:
            return f"crash: {type(error).__name__}: {error}"
        return errno.errorcode.get(error.errno, str(error.errno))
    except MemoryError:
        return "ENOMEM"
    except BaseException as error:
        return f"crash: {type(error).__name__}: {error}"
    return "OK" if got is None else str(got)


def from_child(function):
    """The answer of a child that makes the try, or the signal it died of."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.write(writer, answer_of(function).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        got = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return got or f"crash: it ended with {status} and no word"


def tell(name, got):
    """One write, so that a child's output can't come between."""
    line = "@try " + json.dumps({"try": name, "got": got}) + "\n"
    os.write(facts.get("tell_fd", 1), line.encode())


def main():
    for name in _given["rows"]:
        if name not in _attempts:
            tell(name, "crash: the payload has no such try")
            continue
        function, in_child = _attempts[name]
        tell(name, (from_child if in_child else answer_of)(function))
