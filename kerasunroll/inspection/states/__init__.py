"""The states of recurrent layers and the activations of their gates, at every time step.

Others import the public names from `kerasunroll.inspection`.
"""
