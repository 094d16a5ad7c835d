"""A Ray cluster on this machine, for tests."""

NODES = 3
STORE_BYTES = 80 * 2**20


def start():
    """Return a cluster: a head that measures nothing, and three nodes of one CPU each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES})
    complete(made)
    return made


def complete(cluster) -> None:
    """Give a cluster as many nodes as it had at first."""
    while len(cluster.worker_nodes) < NODES:
        add_node(cluster)


def add_node(cluster, **options):
    return cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES, **options)


def kill(cluster, node_id) -> None:
    """Kill a node as a power cut would."""
    victim = next(node for node in cluster.worker_nodes if node.node_id.startswith(node_id))
    cluster.remove_node(victim, allow_graceful=False)
