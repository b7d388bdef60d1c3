"""Thermostat: autoscaling as a service for OpenStack."""
