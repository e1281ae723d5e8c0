"""What every command does with its pictures: read, compute, show, write."""
