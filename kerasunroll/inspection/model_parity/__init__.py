"""Do two models compute the same? What each computes, compared in its own precision and in float64.

Others import `parity` from `kerasunroll.inspection`, and `of_models` where they need its parts.
"""
