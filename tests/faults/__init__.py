"""The fault drill: what becomes of the service, and of what it records, when things break."""
