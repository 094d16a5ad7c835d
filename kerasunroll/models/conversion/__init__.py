"""Any Keras model in another unroll setting: same weights, same training state, same result.

Others import `with_unroll` from `kerasunroll.models`.
"""
