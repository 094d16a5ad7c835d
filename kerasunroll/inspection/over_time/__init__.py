"""What states and gradients share: arrays per sample, time step and unit, and what is to be seen in them.

No TensorFlow.
"""
