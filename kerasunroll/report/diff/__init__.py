"""Two runs of the same configurations against each other: what changed, and whether it is more than is allowed.

`changes` compares the figures, `conditions` says which changes are too much, `output` shows both as table, Markdown and
JUnit. No TensorFlow.
"""
