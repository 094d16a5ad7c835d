"""How a `Comparison` is shown: as a data frame, as text, as HTML in a notebook, and its pictures one at a time."""
