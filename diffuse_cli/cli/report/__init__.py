"""Results to look at: comparisons and reports."""
