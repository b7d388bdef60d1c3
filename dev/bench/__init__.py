"""``make bench``: what the service adds to the calls it cannot do without; a module a part."""
