"""Measuring what a variant costs, in fresh processes, with numbers that can be trusted."""
