"""What can be tried on cgroup v2 alone."""

import pytest

import test_limits

test_a_job_within_its_memory = test_limits.test_a_job_within_its_memory
test_a_quarter_of_a_cpu = test_limits.test_a_quarter_of_a_cpu
test_what_counts_as_memory = test_limits.test_what_counts_as_memory
test_out_of_memory = test_limits.test_out_of_memory
test_threads = test_limits.test_threads_count_as_processes
test_timeout_of_a_busy_script = test_limits.test_timeout_of_a_busy_script
test_where_memory_went = test_limits.test_where_memory_went


@pytest.fixture
def root_wafer(plain_wafer):
    """In place of the one that those ask for: root's limits hold for a plain
    user who has a cgroup, too."""
    assert "cgroup" not in plain_wafer.missing
    return plain_wafer


def test_a_v1_tree_that_limits_nothing(wafer_of):
    """Beside v2, for a controller that wafer doesn't need."""
    wafer = wafer_of("root")
    tree = wafer.folder("tree")
    hybrid = 'mount -t cgroup -o net_cls none "$0" && exec "$@"'
    outcome = wafer.call(
        "doctor",
        prefix_command=["unshare", "--mount", "sh", "-c", hybrid, tree],
    )
    text = outcome.check(0).stdout.decode()
    assert "v2: cpu, memory, pids" in text
