"""What is measured: quality, speed, and the tables of the documents made from both."""
