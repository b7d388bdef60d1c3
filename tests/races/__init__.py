"""Races of processes: the whole service on a real engine, raced for and killed at random moments."""
