"""What happened to a picture, told from its pixels alone: compression, blur, enlargement, noise."""
