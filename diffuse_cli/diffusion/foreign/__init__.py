"""Other people's networks: imported once, then priors of the core, or maps from a picture to a picture."""
