"""Keras callbacks that log graphs, memory and gradients to TensorBoard; each works alone."""
