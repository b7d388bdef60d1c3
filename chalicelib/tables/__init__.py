"""DynamoDB, one module per table: pynamodb rows stay in here, the core's values come out."""
