"""Facts about this machine and its kernel."""
