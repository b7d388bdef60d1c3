"""What decides: values in, values out. No clock, environment, random number, logger or I/O."""
