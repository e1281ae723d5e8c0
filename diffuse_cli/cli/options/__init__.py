"""Options that several commands share, checked."""
