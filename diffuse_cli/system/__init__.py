"""Files that appear whole, mapped arrays, threads and memory of the process."""
