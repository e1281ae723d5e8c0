"""What can happen to a picture: operators, damage, masks and noise, and `estimation`, which tells them from pixels."""
