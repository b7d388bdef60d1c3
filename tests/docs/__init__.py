"""What the documentation tells people to run, run as they would."""
