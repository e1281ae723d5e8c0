"""Files that appear whole, mapped arrays, and the process's threads and memory.

Knows nothing of pictures. May import: `errors`, `version`.
Start with: `files.py` for writing, `arrays.py` for arrays larger than the memory, `process.py` for threads.
"""
