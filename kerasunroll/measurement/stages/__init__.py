"""The three measurements, timing, memory and training: for each its stage here and its worker beside it.

`timing`, `memory` and `training` start the workers and return records. The `..._worker` modules are what runs in the
processes; they and `timed_model` and `counted_model` import TensorFlow, nobody else does.
"""
