"""What can happen to a picture: operators, damage, masks and noise; `estimation` reads it off a picture.

Training draws these degradations and restoring describes them. May import: `images` and below.
Start with: `operators.py` for `Degradation`, `damage.py` for damaging, `estimation/estimate.py` for estimating.
"""
