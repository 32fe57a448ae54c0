"""Lists the next steps of the migration."""
