"""What does: read, decide, write, in straight lines. Every flow asks core what to do."""
