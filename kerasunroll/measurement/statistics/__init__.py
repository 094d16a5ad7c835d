"""From times to statements: ratios of rounds with intervals, growth over time steps, marks for what is unsteady.

Pure functions of numbers, without files and without TensorFlow; anyone may import them.
"""
