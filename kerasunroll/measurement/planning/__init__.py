"""What is to be measured: grids of variants, the plan in its file, estimates, rules, and what is left to do.

No TensorFlow, no processes: a plan can be made and shown without running anything.
"""
