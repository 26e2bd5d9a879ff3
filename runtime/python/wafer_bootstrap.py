"""Runs one script in a forked interpreter, as `python3 script.py` would.

The zygote has this module compiled in; each job calls `run` once, inside its
walls, as the job's own user. Only modules that a fresh interpreter has loaded
are imported at the top, so that a script finds `sys.modules` as it expects it.

`os` isn't one of them, though site imports it in `python3`: it takes a fifth of
an interpreter's start, and a script that needs it says so. Its functions that
are needed here are those of `posix`.
"""

import builtins
import posix
import sys
import time

import _sitebuiltins

SCRIPTS = "/tmp/glue-python-scripts-"
LIBRARIES = "/tmp/glue-python-libs-"
SPARE = "/tmp/.spare"  # sandbox/scratch.h
PACKAGES = "/opt/wafer/python"
INTERRUPTED = -1
REHEARSAL = b"""\
import time
def fun(*args, **kwargs):
    return [str(arg) for arg in args], {**kwargs}
print(end="", flush=True)
fun(1, key=f"{time.time()}")
"""

# The builtins that scripts expect of site.
builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
builtins.help = _sitebuiltins._Helper()
# Made without its __init__, which imports os to look for a longer text.
builtins.copyright = object.__new__(_sitebuiltins._Printer)
vars(builtins.copyright).update(
    _Printer__name="copyright",
    _Printer__data=sys.copyright,
    _Printer__lines=None,
    _Printer__filenames=[],
)


def _renew_multiprocessing(process):
    main = process.current_process()
    main.authkey = posix.urandom(32)
    main._config.pop("tempdir", None)


# What a fork of a warm zygote makes new, where the zygote has imported it: the
# module, how, and why it wouldn't be new by itself. Each has a row in
# tests/python/test_renewal.py, and so has what needs no row here: `random` has
# a hook of its own (os.register_at_fork), os.urandom and what is made of it
# (secrets, uuid4) asks the kernel. The seed of hash() can't be changed: it is
# one for all jobs of a zygote, like the layout of memory.
RENEWED = (
    (
        "numpy.random",
        lambda random: random.seed(),
        "the generator behind numpy.random.rand() and its like knows no fork",
    ),
    (
        "_ssl",
        lambda ssl: ssl.RAND_add(posix.urandom(48), 48.0),
        "OpenSSL 3 tells a fork by its process id; see JOB_PID in protocol.h",
    ),
    (
        "uuid",
        lambda uuid: vars(uuid).update(_node=None, _last_timestamp=None),
        "getnode() keeps what it found: the machine's own address",
    ),
    (
        "tempfile",
        lambda tempfile: vars(tempfile).update(
            _name_sequence=None, tempdir=None
        ),
        "names go by process id, and the folder was the zygote's",
    ),
    (
        "multiprocessing.process",
        _renew_multiprocessing,
        "a program's processes know each other by a key, made at import",
    ),
    (
        "threading",
        lambda threading: threading.main_thread()._set_native_id(),
        "its own hook passes native_id over (Python 3.11)",
    ),
    (
        "logging",
        lambda logging: vars(logging).update(_startTime=time.time()),
        "relativeCreated counts from the import",
    ),
)


def renew():
    """Makes what is random or remembered this process's own, after a fork."""
    for name, make_new, _ in RENEWED:
        module = sys.modules.get(name)
        if module is not None:
            make_new(module)


# The names of the modules that a zygote imported; None: the usual few.
_ahead = None


def preload(packages, module):
    """Imports a module of a library set into a zygote.

    Returns what went wrong, as one line, or None. Nothing that it printed stays
    in a buffer, which each fork would print again.
    """
    global _ahead
    wrong = None
    try:
        _add_packages([packages])
        __import__(module)
    except BaseException as error:
        wrong = f"{type(error).__qualname__}: {error}"
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError) as error:
        wrong = wrong or f"it broke the standard streams: {error}"
    if wrong is not None:
        wrong = " ".join(wrong.encode("utf-8", "replace").decode().split())
    _ahead = frozenset(sys.modules)
    return wrong


def end():
    """Ends the program, where Py_FinalizeEx would take apart what was imported
    ahead and copy each page of it for that: 30 ms for pandas and the like.

    The same is done, in that order, for all that is the script's own: threads
    are awaited, exit functions called, streams flushed; then its modules go,
    and with them what they held. Returns whether that was it, and raises
    OSError or ValueError where the last output couldn't be written.
    """
    if _ahead is None:
        return False
    threading = sys.modules.get("threading")
    try:
        if threading is not None:
            threading._shutdown()
    except BaseException as error:
        _show(error)
    import atexit

    atexit._run_exitfuncs()
    _flush()
    own = [name for name in sys.modules if name not in _ahead]
    _drop_modules(["__main__", *reversed(own)])
    _flush()
    return True


def _flush():
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def _drop_modules(names):
    """What something else still refers to is emptied, the newest name first."""
    import gc
    import _weakref

    for name in ("last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    left = []
    for name in names:
        module = sys.modules.pop(name, None)
        if isinstance(module, type(sys)):
            left.append(_weakref.ref(module))
    del module
    gc.collect()
    for module in left:
        names = vars(module()) if module() is not None else {}
        for name in reversed(list(names)):
            if name != "__builtins__":
                names[name] = None


def _add_packages(folders):
    """Where site has them: last. No .pth file in them is looked at."""
    for folder in folders:
        if folder not in sys.path:
            sys.path.append(folder)


def run(spec, files, report_fd, stack_signal, execute):
    """Runs the script of `spec` and returns its exit status.

    spec: {"argv": [...], "env": {...}, "name": file name, "script": index,
    "libs": [{"name": file name, "file": index}], "files": count, "packages":
    [folder]}; the indices are into `files`, descriptors that are closed before
    the script starts.
    `report_fd` takes the Python stack whenever `stack_signal` arrives, and a
    record of an uncaught exception; `execute(path, namespace)` runs a file.
    INTERRUPTED is returned where an uncaught KeyboardInterrupt ended it.
    """
    _set_environment(spec["env"])
    _set_arrow_threads(spec["env"])
    # The interpreter started on the host, in the host's time zone.
    time.tzset()
    posix.chdir("/tmp")
    sys.stdout.reconfigure(line_buffering=True)
    script = _stage(spec, files)
    libraries = _stage_libraries(spec["libs"], files)
    for descriptor in files:
        posix.close(descriptor)
    _answer_stack_signal(report_fd, stack_signal)
    sys.argv = [script] + spec["argv"]
    _add_packages(spec["packages"])
    sys.orig_argv = [sys.executable] + sys.argv
    sys.path.append(PACKAGES)
    _renew_main()
    return _run_to_end(script, libraries, report_fd, execute)


def rehearse(report_fd, stack_signal, execute):
    """Does what `run` will do, on next to nothing.

    A forked interpreter copies each page that it writes to, and most of those
    that a run begins with are the same for every script: a sandbox that waits
    in a pool gets them while nobody waits for it.
    """
    _set_environment({"PATH": "/usr/local/bin:/usr/bin:/bin"})
    sys.stdout.reconfigure(line_buffering=True)
    _answer_stack_signal(report_fd, stack_signal)
    script = posix.memfd_create("rehearsal")
    posix.write(script, REHEARSAL)
    path = f"/proc/self/fd/{script}"
    _is_zip(path)
    execute(path, {"__name__": "__main__"})
    posix.close(script)


def _renew_main():
    """Has the script a `__main__` that can be garbage.

    The one that is there was frozen with the interpreter (gc.freeze): in a
    circle with any function of the script's it would never go, nor would what
    it holds, such as a file with unwritten text.
    """
    main = type(sys)("__main__")
    vars(main).update(vars(sys.modules["__main__"]), __annotations__={})
    sys.modules["__main__"] = main


def _set_environment(variables):
    """Sets the process's, and what `os.environ` will be made of."""
    for name in posix.environ:
        posix.unsetenv(name)
    posix.environ.clear()
    for name, value in variables.items():
        name = name.encode("utf-8", "surrogateescape")
        value = value.encode("utf-8", "surrogateescape")
        posix.putenv(name, value)
        posix.environ[name] = value


def _set_arrow_threads(variables):
    """Arrow's own, where a zygote has imported it: see thread_counts.h."""
    arrow = sys.modules.get("pyarrow")
    count = variables["OMP_NUM_THREADS"]
    if arrow is not None and count.isascii() and count.isdecimal():
        arrow.set_cpu_count(max(1, min(int(count), 1024)))


def _private_folder(prefix):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    name = "".join(letters[byte % 36] for byte in posix.urandom(8))
    try:
        posix.rename(SPARE, prefix + name)
    except FileNotFoundError:
        posix.mkdir(prefix + name, 0o700)
    return prefix + name


def _copy(descriptor, path):
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL
    target = posix.open(path, flags, 0o600)
    try:
        offset = 0
        while sent := posix.sendfile(target, descriptor, offset, 1 << 30):
            offset += sent
    finally:
        posix.close(target)


def _stage(spec, files):
    path = _private_folder(SCRIPTS) + "/" + spec["name"]
    _copy(files[spec["script"]], path)
    return path


def _stage_libraries(libs, files):
    """Copies the libraries and returns their paths."""
    paths = []
    if not libs:
        return paths
    folder = _private_folder(LIBRARIES)
    for number, lib in enumerate(libs):
        home = f"{folder}/{number}"
        posix.mkdir(home, 0o700)
        path = home + "/" + lib["name"]
        _copy(files[lib["file"]], path)
        paths.append(path)
    return paths


def _folder_of(path):
    return path.rpartition("/")[0]


def _importable(path):
    """The entry of sys.path for a library."""
    if path.endswith(".whl"):
        return _unpack_wheel(path, _folder_of(path) + "/wheel")
    return _folder_of(path) if path.endswith(".py") else path


def _unpack_wheel(path, target):
    """Unpacks a wheel, its purelib and platlib data beside the rest.

    extractall takes "..", a leading "/" and what it can't write out of a
    member's name, and makes plain files and folders alone.
    """
    import os
    import shutil
    import zipfile

    os.mkdir(target)
    try:
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(target)
        for name in os.listdir(target):
            if name.endswith(".data"):
                for part in ("purelib", "platlib"):
                    extra = os.path.join(target, name, part)
                    if os.path.isdir(extra):
                        shutil.copytree(extra, target, dirs_exist_ok=True)
    except MemoryError:
        raise
    except Exception as error:  # of zipfile, shutil, zlib, lzma, bz2, struct
        name = os.path.basename(path)
        raise ImportError(f"{name} can't be unpacked: {error}") from None
    return target


def _answer_stack_signal(report_fd, stack_signal):
    import faulthandler

    faulthandler.register(stack_signal, file=report_fd, all_threads=True)
    del sys.modules["faulthandler"]


def _is_zip(path):
    with open(path, "rb", buffering=0) as file:
        magic = file.read(4)
    return magic == b"PK\x03\x04" or path.endswith((".zip", ".pyz", ".egg"))


def _run_script(path, execute):
    """What CPython's pymain_run_file does, in the `__main__` that is there."""
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
    main = sys.modules["__main__"]
    main.__file__ = path
    main.__cached__ = None
    main.__loader__ = loader("__main__", path)
    sys.path.insert(0, _folder_of(path))
    execute(path, main.__dict__)


def _run_zip(path):
    """What CPython's pymain_run_module does for a zip or a folder."""
    import runpy

    sys.path.insert(0, path)
    runpy._run_module_as_main("__main__", False)


def _run_to_end(script, libraries, report_fd, execute):
    try:
        sys.path[:0] = [_importable(path) for path in libraries]
        if _is_zip(script):
            _run_zip(script)
        else:
            _run_script(script, execute)
    except SystemExit as end:
        return _exit_status(end.code)
    except BaseException as error:
        _show(error)
        _record(error, _folder_of(script), report_fd)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _exit_status(code):
    """The status of sys.exit(code), as CPython's handle_system_exit has it."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stdout.flush()
    print(code, file=sys.stderr)
    return 1


def _show(error):
    """Prints the traceback from the script's own first frame on."""
    frame = error.__traceback__
    while frame and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    error.__traceback__ = frame
    try:
        sys.excepthook(type(error), error, frame)
    except BaseException as second:
        sys.__excepthook__(type(second), second, second.__traceback__)
        sys.__excepthook__(type(error), error, frame)


def _place(error, folder):
    """File and line: the script's innermost, else where it was raised."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    place = "", 0
    in_script = False
    entry = error.__traceback__
    while entry:
        file = entry.tb_frame.f_code.co_filename
        if file.startswith(folder) or not in_script:
            place = file, entry.tb_lineno
            in_script = in_script or file.startswith(folder)
        entry = entry.tb_next
    return place


def _record(error, folder, report_fd):
    """One line for the host: E, type, file, line and message, by \x1f."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = kind.__module__ + "." + name
    try:
        # A SyntaxError's own text has the place in it.
        message = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:
        message = ""
    file, line = _place(error, folder)
    base = file.rpartition("/")[2]
    fields = "E", name, base, str(line), message[:2000]
    text = "\x1f".join(field.replace("\n", " ") for field in fields) + "\n"
    try:
        posix.write(report_fd, text.encode("utf-8", "replace"))
    except OSError:
        # The script closed the descriptor; its exit status tells enough.
        return
