"""Tables, figures and texts made from measured results; nothing here loads TensorFlow."""
