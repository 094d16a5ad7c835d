"""Who does the measuring: this machine, or the nodes of a cluster."""
