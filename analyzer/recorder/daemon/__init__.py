"""Makes the recorder a service: reports its state, reloads, and drops privileges."""
