"""HTTP. One Blueprint per noun, in a file named as its URL."""
