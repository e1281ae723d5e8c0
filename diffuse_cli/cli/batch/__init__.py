"""Many pictures at once: which inputs, which outputs, what is done already, what failed."""
