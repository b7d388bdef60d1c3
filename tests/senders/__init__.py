"""Senders as they really are, before the API in this process."""
