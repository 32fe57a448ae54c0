"""Names the cause of each v1 call and how to fix it."""
