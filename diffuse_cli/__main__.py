"""`python -m diffuse_cli` is `diffuse`."""

from .cli.app import main

main()
