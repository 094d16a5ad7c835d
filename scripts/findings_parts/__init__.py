"""docs/findings.md, part by part: what each one measures, what it keeps, and how it is drawn.

`time_steps`, `who_unrolls`, `layers`, `gradients`, `memory` and `deployment` are the parts; `parts` lists them.
"""
