"""Model factories: the same stack in every unroll setting."""
