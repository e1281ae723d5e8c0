"""The server: one model in memory, and HTTP requests that each restore one picture with it."""
