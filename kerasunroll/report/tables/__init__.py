"""Tables for the console: the plan, the comparison, what grows with the number of time steps."""
