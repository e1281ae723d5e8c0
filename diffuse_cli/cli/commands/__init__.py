"""One module a command: its options become a task, and the run does the rest."""
