"""What `diffuse doctor` looks at: the machine, what is installed, and whether the weights compute what they should."""
