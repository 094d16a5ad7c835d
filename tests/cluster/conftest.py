import os

import pytest

# Read when Ray is imported: nothing is sent to anybody, and no warning about a default to come.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


@pytest.fixture(scope="session")
def cluster():
    """A Ray cluster on this machine: a head that measures nothing, and three nodes of one CPU each."""
    pytest.importorskip("ray")
    import trivial_units
    from ray import cloudpickle
    from ray_cluster import start

    cloudpickle.register_pickle_by_value(trivial_units)  # the nodes cannot import it
    made = start()
    yield made
    made.shutdown()


@pytest.fixture
def connection(cluster):
    """Be connected to the cluster, with as many nodes as it had at first."""
    from ray_cluster import complete

    from kerasunroll.measurement.execution.connection import connected

    complete(cluster)
    with connected(cluster.address):
        yield cluster
