"""Foreign notifications, made into our values: pure parsers, one module a format."""
