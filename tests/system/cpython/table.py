"""Which of CPython's test modules run as jobs, and what fails on purpose."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Module:
    name: str
    only: tuple = ("*",)  # patterns of tests' ids
    skip: tuple = ()


@dataclasses.dataclass(frozen=True)
class Failure:
    """Tests that a wall makes fail; every one that fails has such a row."""

    tests: str  # a pattern of ids, without "test."
    wall: str
    why: str


MODULES = [
    # The longest first: they run some at once.
    Module("test_multiprocessing_forkserver", skip=("*.WithThreads*",)),
    Module("test_multiprocessing_fork"),
    Module(
        "test_multiprocessing_spawn",
        # The others take twice the CPU time of all the rest here.
        only=("*.WithProcesses*", "*.TestStartMethod.*", "*.TestWait.*"),
        skip=("*Barrier*", "*Condition*"),
    ),
    Module("test_ssl"),
    Module("test_asyncio.test_tasks"),
    Module("test_asyncio.test_subprocess"),
    Module("test_asyncio.test_events"),
    Module("test_asyncio.test_ssl"),
    Module("test_asyncio.test_streams"),
    Module("test_asyncio.test_unix_events"),
    Module("test_asyncio.test_base_events"),
    Module("test_asyncio.test_sendfile"),
    Module(
        "test_concurrent_futures",
        only=("*.ThreadPool*", "*.ProcessPoolFork*", "*.ProcessPoolSpawn*"),
        # A second each, all of it waiting.
        skip=("*Deadlock*", "*Wait*", "*AsCompleted*"),
    ),
    Module("test_socket"),
    Module("test_subprocess"),
    Module("test_faulthandler"),
    Module("test_signal", skip=("*.SiginterruptTest.*",)),  # half a minute
    Module("test_threading"),
    Module("test_logging"),
    Module("test_os"),
    Module("test_posix"),
    Module("test_fork1"),
    Module("test_eintr"),
    Module("test_tempfile"),
    Module("test_shutil"),
    Module("test_pathlib"),
    Module("test_glob"),
    Module("test_fileio"),
    Module("test_mmap"),
    Module("test_gzip"),
    Module("test_bz2"),
    Module("test_zipfile"),
    Module("test_tarfile"),
    Module("test_csv"),
    Module("test_json"),
    Module("test_pickle"),
    Module("test_random"),
    Module("test_secrets"),
    Module("test_uuid"),
    Module("test_hashlib"),
    Module("test_hmac"),
    Module("test_httplib"),
    Module("test_select"),
    Module("test_zipimport"),
    Module("test_runpy"),
    Module("test_import"),
    Module("test_pkgutil"),
    Module("test_cmd_line"),
    # It counts the frozen modules: wafer's interpreter has three more.
    Module("test_ctypes", skip=("*.test_frozentable",)),
    Module("test_sys"),
    Module("test_gc"),
    Module("test_atexit"),
    Module("test_warnings"),
    Module("test_locale"),
    Module("test_time"),
    Module("test_datetime"),
    Module("test_zoneinfo"),
    Module("test_resource"),
]

SYSTEM = "read-only mounts"
ROOT = "root file system"
NO_PTY = "a sandbox has no terminals: there is no /dev/ptmx"
READ_ONLY = (
    "it removes a file that isn't there from every folder of sys.path; Linux"
    " says EROFS before it looks"
)

FAILURES = [
    Failure("test_os.FDInheritanceTests.test_openpty", ROOT, NO_PTY),
    Failure("test_asyncio.test_events.*pty*", ROOT, NO_PTY),
    Failure("test_runpy.RunModuleTestCase.test_run_*", SYSTEM, READ_ONLY),
    Failure("test_import.ImportTests.test_import", SYSTEM, READ_ONLY),
    Failure("test_import.PycacheTests.*", SYSTEM, READ_ONLY),
    Failure("test_pickle.*.test_unpickle_module_race", SYSTEM, READ_ONLY),
    Failure(
        "test_subprocess.POSIXProcessTestCase.test_user",
        "user namespace",
        "it has two ids, so that a third is EINVAL where the test wants EPERM",
    ),
    Failure(
        "test_subprocess.POSIXProcessTestCase.test_group",
        "user namespace",
        "the same",
    ),
    Failure(
        "test_socket.*UDPLITE*",
        "seccomp",
        "of the protocols a job has TCP and UDP alone",
    ),
    Failure(
        "test_socket.GeneralModuleTests.testInterfaceNameIndex",
        "seccomp",
        "libc lists interfaces by a netlink socket",
    ),
    Failure(
        "test_socket.GeneralModuleTests.test_get*info_ipv6_scopeid_symbolic",
        "seccomp",
        "the same",
    ),
    Failure(
        "test_resource.ResourceTest.test_fsize_ismax",
        "rlimits",
        "a file can't be larger than the scratch",
    ),
]
