"""What is deployed: package, policies, and the packaged functions at work."""
