"""Files of pictures, read and written whole: pixels, alpha, depth, profile and metadata of every format."""
