"""What happened to a picture, from its pixels alone: compression, blur, enlargement, noise."""
