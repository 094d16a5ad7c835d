"""What stands by while Keras's training step is traced: the train function with hooks, and what the hooks keep.

The loggers use `TrainFunction`, `NormBuffer` and `FlowTap`.
"""
