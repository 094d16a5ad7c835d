"""Gradients on their way back through time: the backward pass, norms over time, and what they say (the flow).

Others import the public names from `kerasunroll.inspection`. `norms` and `flow` load without TensorFlow.
"""
