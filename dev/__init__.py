"""Tools for those who work on Thermostat; no part of what is deployed."""
