"""The command line: options in, one line a problem out. It translates and computes nothing.

Importing it does not import torch. May import: everything else.
Start with: `app.py` for the list of commands, `commands/denoise.py` for one, `run/restore_files.py` for what runs it.
"""
