"""What was measured, and where: records, the store that keeps them, the environment and the node they come from.

No TensorFlow. Nothing here knows how anything is measured; everything else in `measurement` may import it.
"""
