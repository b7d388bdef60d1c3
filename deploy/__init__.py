"""How the bundle gets to where it runs."""
