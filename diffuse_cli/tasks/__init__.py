"""What a user asks for: one module a task, whose options are checked before a model loads, and become a `Problem`.

Importing it does not import torch. May import: `restoration` and below, and for styles `training`.
Start with: `task.py` for what a task is, `denoise.py` for the shortest one, `restore.py` for a long one.
"""
