"""What an output says of how it was made, and how far that can be checked."""
