"""Files of pictures, read and written whole: pixels, alpha, depth, profile and metadata of every format.

Also what all rooms above share about pixels: units, sRGB, conversion to tensors. May import: `system` and below.
Start with: `picture.py` for the type, `image_io.py` for reading and writing, `metadata.py` for what a file keeps.
"""
