"""Problem -> picture: the posterior mean, samples, their uncertainty, and wide holes. Knows pixels, no file names.

Start with `restore`, then `solve`; `problem` has the types.
"""
