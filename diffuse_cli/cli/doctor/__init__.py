"""What `diffuse doctor` checks: the machine, the installation, and whether the weights compute the right pixels."""
