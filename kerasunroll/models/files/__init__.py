"""Models in files: loaded without running anybody's code, saved whole or not at all, old formats converted.

`saved` loads without TensorFlow. Others import the public names from `kerasunroll.models`.
"""
