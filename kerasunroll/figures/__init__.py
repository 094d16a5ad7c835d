"""Pictures drawn from arrays: Matplotlib figures, nothing written. No TensorFlow."""
