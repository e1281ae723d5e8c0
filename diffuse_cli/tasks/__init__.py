"""What a user asks for, the same for any picture: options that are checked before a model loads, and become a Task."""
