"""Prints what a script can see of the interpreter it wakes up in, as JSON.

test_fresh_interpreter.py runs it under wafer and under `python3 -I`. A name
tells what was looked at; a value is a text, so that any two can be compared.
"""

import sys

MODULES = {name: getattr(sys.modules[name], "__file__", "none")
           for name in list(sys.modules)}
IMPORTERS = list(sys.path_importer_cache)

import atexit  # noqa: E402
import builtins  # noqa: E402
import faulthandler  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import locale  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402

HERE = os.path.dirname(__file__)
facts = {}


def tell(name, value):
    facts[name] = str(value).replace(HERE, "HERE")


def tell_each(name, items):
    for key, value in items:
        tell(f"{name} {key}", value)


def name_of(thing):
    """A function or class by its name, whatever its address."""
    return getattr(thing, "__qualname__", None) or type(thing).__qualname__


def read(path):
    with open(path, "rb") as file:
        return file.read()


def tell_sys():
    plain = (
        "argv", "orig_argv", "path", "executable", "_base_executable",
        "prefix", "exec_prefix", "base_prefix", "base_exec_prefix",
        "platlibdir", "pycache_prefix", "dont_write_bytecode", "warnoptions",
        "_xoptions", "version", "hash_info", "implementation", "float_info",
        "copyright", "float_repr_style", "_stdlib_dir",
    )  # fmt: skip
    tell_each("sys", ((name, getattr(sys, name)) for name in plain))
    names = [n for n in dir(sys.flags) if n[0] != "_" and n[:2] != "n_"]
    flags = (n for n in names if n not in ("count", "index"))
    tell_each("flag", ((name, getattr(sys.flags, name)) for name in flags))
    calls = (
        "getrecursionlimit", "getswitchinterval", "gettrace", "getprofile",
        "getdlopenflags", "getfilesystemencoding", "getdefaultencoding",
        "getfilesystemencodeerrors", "get_asyncgen_hooks", "exc_info",
        "get_coroutine_origin_tracking_depth", "get_int_max_str_digits",
    )  # fmt: skip
    tell_each("sys", ((name, getattr(sys, name)()) for name in calls))
    for hook in ("excepthook", "displayhook", "unraisablehook"):
        own = getattr(sys, f"__{hook}__")
        tell(f"sys {hook} is python's", getattr(sys, hook) is own)
    tell_each("sys has", ((name, "yes") for name in dir(sys)))


def tell_imports():
    tell_each("module", MODULES.items())
    tell_each("importer of", ((path, "cached") for path in IMPORTERS))
    tell("sys.meta_path", [name_of(finder) for finder in sys.meta_path])
    tell("sys.path_hooks", [name_of(hook) for hook in sys.path_hooks])
    tell_each("builtin", ((name, "there") for name in dir(builtins)))
    for name in ("copyright", "exit", "quit", "help"):
        tell(f"builtin {name}", repr(getattr(builtins, name)))


def tell_main():
    main = sys.modules["__main__"]
    tell("__main__ is this", main.__dict__ is globals())
    tell("__builtins__ is builtins", __builtins__ is builtins)
    for name in ("__name__", "__doc__", "__package__", "__spec__", "__file__",
                 "__cached__", "__annotations__"):  # fmt: skip
        tell(f"__main__.{name}", getattr(main, name, "none"))
    tell("__main__.__loader__", name_of(__loader__))
    tell("__loader__.name, path", (__loader__.name, __loader__.path))
    tell("depth of the stack", len(list_frames()))


def list_frames():
    frames, frame = [], sys._getframe()
    while frame:
        frames.append(frame)
        frame = frame.f_back
    return frames


def tell_streams():
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        own = getattr(sys, f"__{name}__")
        tell(f"{name} is python's", stream is own)
        for attribute in ("encoding", "errors", "line_buffering", "name",
                          "write_through", "newlines", "mode"):  # fmt: skip
            tell(f"{name}.{attribute}", getattr(stream, attribute))
        tell(f"{name}.fileno", stream.fileno())
        tell(f"{name}.buffer", name_of(stream.buffer))


def tell_signals():
    for number in range(1, signal.NSIG):
        try:
            handler = signal.getsignal(number)
        except ValueError:  # libc's own
            continue
        shown = handler if isinstance(handler, int) else name_of(handler)
        tell(f"handler of {number}", shown)
    tell("blocked signals", signal.pthread_sigmask(signal.SIG_BLOCK, []))
    tell("wakeup descriptor", signal.set_wakeup_fd(-1))
    tell("faulthandler is enabled", faulthandler.is_enabled())
    for line in read("/proc/self/status").decode().splitlines():
        if line.startswith(("SigIgn", "SigCgt", "SigBlk")):
            tell(*line.split(":\t"))


def tell_text():
    for name in ("CTYPE", "NUMERIC", "TIME", "COLLATE", "MONETARY",
                 "MESSAGES"):  # fmt: skip
        tell(f"LC_{name}", locale.setlocale(getattr(locale, f"LC_{name}")))
    tell("locale encoding", locale.getpreferredencoding(False))
    tell("time zone", (time.tzname, time.timezone, time.daylight))
    tell("local time of 0", time.localtime(0))
    tell_each("warnings filter", enumerate(warnings.filters))
    tell("warnings shown by", name_of(warnings.showwarning))
    tell("warnings._onceregistry", warnings.onceregistry)


def tell_logging():
    root = logging.root
    tell("logging level", (root.level, root.disabled, root.manager.disable))
    tell("logging handlers", root.handlers)
    tell("loggers", sorted(root.manager.loggerDict))
    tell("logging began before", time.time() - logging._startTime > 5)


def tell_collector():
    tell("gc", (gc.isenabled(), gc.get_threshold(), gc.get_debug()))
    tell("gc.callbacks", gc.callbacks)
    tell("gc frozen", gc.get_freeze_count() > 0)


def tell_threads():
    main = threading.main_thread()
    tell("threads", threading.enumerate() == [main])
    tell("main thread", (main.name, main.daemon, main.is_alive()))
    tell("main thread is this", main is threading.current_thread())
    tell("main thread's ident", main.ident == threading.get_ident())
    tell("its native id", main.native_id == threading.get_native_id())
    tell("native id is pid", threading.get_native_id() == os.getpid())
    tell("threading.excepthook", name_of(threading.excepthook))
    tell("thread stack size", threading.stack_size())
    tell("atexit callbacks", atexit._ncallbacks())


def list_descriptors():
    """But for the one that lists them, which is closed by then."""
    listed = os.listdir("/proc/self/fd")
    links = (f"/proc/self/fd/{number}" for number in listed)
    return sorted(int(link[14:]) for link in links if os.path.lexists(link))


def tell_process():
    tell("cwd", os.getcwd())
    tell("umask", oct(os.umask(0o22)))
    tell_each("environment", os.environ.items())
    tell("os.environb", len(os.environb) == len(os.environ))
    tell("descriptors", list_descriptors())
    tell("scheduler", (os.sched_getscheduler(0), os.getpriority(0, 0)))
    tell("name", read("/proc/self/comm").decode().strip())
    tell("command line", read("/proc/self/cmdline").decode()[:40])
    tell("program", os.path.basename(os.readlink("/proc/self/exe")))
    tell("leads a session", os.getsid(0) == os.getpid())
    tell("ids", (os.getresuid(), os.getresgid(), os.getgroups()))
    tell("oom_score_adj", read("/proc/self/oom_score_adj").decode().strip())
    tell("timer slack", read("/proc/self/timerslack_ns").decode().strip())
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            limits = resource.getrlimit(getattr(resource, name))
            tell(name, limits)


tell_sys()
tell_imports()
tell_main()
tell_streams()
tell_signals()
tell_text()
tell_logging()
tell_collector()
tell_threads()
tell_process()
print(json.dumps(facts))
