"""Results as plain tables, a file per result."""
