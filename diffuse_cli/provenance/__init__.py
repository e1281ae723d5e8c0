"""What a result states about how it was made, and how far that can be checked.

May import: `tasks` and below.
Start with: `recipe.py` for what is stated, `verification.py` for checking it, `replay.py` for repeating it.
"""
