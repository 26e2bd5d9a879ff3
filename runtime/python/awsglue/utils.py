"""Arguments of a job: getResolvedOptions, as a Glue script expects it.

Written from Glue's published and observed behaviour.  Importing this module
loads nothing else: argparse comes in with the first call.
"""

__all__ = ["GlueArgumentError", "getResolvedOptions"]

BOOKMARK_OPTION = "job-bookmark-option"
BOOKMARK_CHOICES = (
    "job-bookmark-enable",
    "job-bookmark-disable",
    "job-bookmark-pause",
)

# Arguments that Glue itself sets: a script may not ask for them by name.
RESERVED = (
    "continuation-option",
    BOOKMARK_OPTION,
    "job-bookmark-from",
    "job-bookmark-to",
)

# Each of these is in every result, None where it was not passed.
ALWAYS_PRESENT = (
    "job-bookmark-from",
    "job-bookmark-to",
    "JOB_ID",
    "JOB_RUN_ID",
    "SECURITY_CONFIGURATION",
    "encryption-type",
    "enable-data-lineage",
    "RedshiftTempDir",
    "TempDir",
)

# Of those, the ones that a script may also ask for: it changes nothing.
# Asking for one of the others is the conflict that argparse reports.
MAY_ASK = (
    "encryption-type",
    "enable-data-lineage",
    "RedshiftTempDir",
    "TempDir",
)


class GlueArgumentError(Exception):
    """The job's arguments do not fit what the script asked for."""


def getResolvedOptions(args, options, allow_abbrev=False, *, defaults=None):
    """Return the job's arguments as a dict from name to text.

    args: sys.argv as it is; its first item, the script, is passed over.
    options: the names, without `--`, of the arguments that the script needs.
        `--name value` and `--name=value` are the same.  Where a name comes
        twice, the last one holds.  An argument that no name asks for is
        ignored.
    allow_abbrev: accept an unambiguous beginning of a name for the name.
        Off, as in Glue 6.0; Glue up to 5.1 always accepted one.
    defaults: optional arguments, as a dict from name to the value that the
        result has where the argument was not passed.  This is wafer's
        addition: a name here need not be passed, and need not be listed in
        `options` as well.  A script that doesn't use it runs on Glue as is.

            getResolvedOptions(sys.argv, ["source"], defaults={"day": None})

    A dash in a name is an underscore in the result: ask for "day-key", read
    args["day_key"].  The result also has, None where not passed,
    job_bookmark_from, job_bookmark_to, JOB_ID, JOB_RUN_ID,
    SECURITY_CONFIGURATION, encryption_type, enable_data_lineage, and TempDir
    and RedshiftTempDir, each of which stands in for the other; and
    job_bookmark_option, "job-bookmark-disable" where not passed.

    A Python shell job is not passed JOB_NAME: ask for it in `defaults`.

    Raises GlueArgumentError for an argument that is missing, or has no value
    or a wrong one; a value can't begin with a dash, unless it is a negative
    number or follows an equals sign.  Raises RuntimeError where the script
    asks for a reserved name, or the bookmark arguments contradict each other;
    argparse.ArgumentError where it asks for a name twice, or for JOB_ID,
    JOB_RUN_ID or SECURITY_CONFIGURATION.  `--help` among the arguments prints
    the script's arguments and exits with status 0.
    """
    options = list(options)
    optional = {_key(name): value for name, value in (defaults or {}).items()}
    known = {_key(name) for name in options}
    extra = [name for name in defaults or {} if _key(name) not in known]
    _refuse_reserved([*options, *extra])

    parser = _parser(allow_abbrev, optional)
    for name in [*options, *extra]:
        if name not in MAY_ASK:
            _add(parser, name, optional, required=_key(name) not in optional)
    parsed, _ = parser.parse_known_args(args[1:])
    result = vars(parsed)
    _check_bookmark(result)
    _mirror_temporary_folders(result)
    return result


def _key(name):
    return name.replace("-", "_")


def _refuse_reserved(names):
    reserved = {_key(name) for name in RESERVED}
    asked = [name for name in names if _key(name) in reserved]
    if asked:
        raise RuntimeError("Using reserved arguments " + ", ".join(asked))


def _parser(allow_abbrev, optional):
    """Return a parser of the arguments that are present in every result."""
    import argparse  # not at the top: a job that takes none needn't pay

    def refuse(message):
        raise GlueArgumentError(message)

    parser = argparse.ArgumentParser(allow_abbrev=allow_abbrev)
    parser.error = refuse
    parser.add_argument(
        "--" + BOOKMARK_OPTION,
        choices=BOOKMARK_CHOICES,
        default="job-bookmark-disable",
    )
    for name in ALWAYS_PRESENT:
        _add(parser, name, optional, required=False)
    return parser


def _add(parser, name, optional, required):
    key = _key(name)
    parser.add_argument(
        "--" + name, dest=key, default=optional.get(key), required=required
    )


def _check_bookmark(result):
    paused = result["job_bookmark_option"] == "job-bookmark-pause"
    ends = (result["job_bookmark_from"], result["job_bookmark_to"])
    if paused and None in ends:
        raise RuntimeError(
            "--job-bookmark-option job-bookmark-pause needs both"
            " --job-bookmark-from and --job-bookmark-to"
        )
    if not paused and None not in ends:
        raise RuntimeError(
            "--job-bookmark-from and --job-bookmark-to need"
            " --job-bookmark-option job-bookmark-pause"
        )


def _mirror_temporary_folders(result):
    for one, other in (
        ("TempDir", "RedshiftTempDir"),
        ("RedshiftTempDir", "TempDir"),
    ):
        if result[one] is None:
            result[one] = result[other]
