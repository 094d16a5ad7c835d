"""The factories: a stack described in one validated object, and built in any unroll setting.

`config` and `fields` load without TensorFlow. Others import the public names from `kerasunroll.models`.
"""
