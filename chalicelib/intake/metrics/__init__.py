"""Foreign formats of metrics, made into our samples: pure parsers, one module a format."""
