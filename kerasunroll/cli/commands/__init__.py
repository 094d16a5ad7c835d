"""The commands, a module each: its options, and the function that runs it. `compare` and `measure` share one.

A command parses, calls the library and prints; what commands share lies beside this folder. Only `kerasunroll.cli`
imports from here.
"""
