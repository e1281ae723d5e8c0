"""Tests of diffuse.

<room>/test_<module>.py: mirrors the package.
program/: the installed program in processes of its own.
docs/: the commands and the Python of the pages.
helpers/: what several of them use.
"""
