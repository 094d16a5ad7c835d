"""The graph of operations: what is in it, which code really runs, and the graph as a person wants to see it."""
