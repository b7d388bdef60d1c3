"""JSON to values (parsed, not merely validated) and values to JSON; the types are the OpenAPI schemas."""
