"""The analytics set that comes with wafer, as scripts/check has built it.

WAFER_ANALYTICS is the state folder that it is in, root's. Each test's wafer has
a state folder of its own, in which a bind mount shows the sets: a plain user
may use root's, too.
"""

import os
import pathlib
import re
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).parents[2]
LOCK = REPOSITORY / "library-sets" / "analytics.lock"

# Of AWS Glue's list for Python shell, and pyarrow; awscli last, since it puts a
# botocore of its own in the place of the other.
MODULES = """
    avro awswrangler boto3 botocore elasticsearch numpy pandas psycopg2 pyarrow
    pyarrow.parquet pyathena pymysql pyodbc pyorc redshift_connector requests
    s3fs scipy scipy.linalg sklearn.linear_model sqlalchemy awscli
""".split()


@pytest.fixture
def analytics(wafer):
    """wafer, which has the set."""
    source = os.environ.get("WAFER_ANALYTICS")
    if source is None:
        pytest.skip("no WAFER_ANALYTICS: scripts/check builds and sets it")
    source = pathlib.Path(source, "library-sets")
    target = wafer.folder("state", 0o711) / "library-sets"
    target.mkdir(mode=0o755)
    subprocess.run(["mount", "--bind", source, target], check=True)
    yield wafer
    subprocess.run(["umount", target], check=True)


def test_all_of_it_can_be_imported(analytics):
    script = f"""
    import importlib
    for name in {MODULES}:
        importlib.import_module(name)
        print(name)
    """
    outcome = analytics.run(
        script, "--library-set=analytics", "--max-capacity=1"
    )
    assert outcome.check(0, "SUCCEEDED").lines == MODULES
    recorded = outcome.report["library_lock"]
    assert f"analytics-{recorded[:16]}" in {
        path.name for path in (analytics.state_dir / "library-sets").iterdir()
    }


def test_pandas_in_the_smallest_size(analytics):
    example = REPOSITORY / "examples" / "orders.py"
    outcome = analytics.run(
        example, "--library-set=analytics", argv=["--orders", "100000"]
    )
    last = outcome.check(0, "SUCCEEDED").lines[-1]
    assert re.fullmatch(r"100000 orders, [\d.]+ in all", last)


def test_the_lock_names_no_index():
    lines = LOCK.read_text("utf-8").splitlines()
    for line in lines:
        assert "://" not in line
        if not line.startswith("#"):
            assert re.fullmatch(
                r"[\w.-]+==[\w.+!]+ --hash=sha256:[0-9a-f]{64}", line
            )
    assert any(line.startswith("# held back: ") for line in lines)
