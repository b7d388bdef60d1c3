"""The whole service as processes, on a simulated cloud, or on the real one that OS_CLOUD names."""
