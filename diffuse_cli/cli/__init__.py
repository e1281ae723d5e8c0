"""The command line: options in, one line a problem out. Translates, computes nothing."""
