"""What runs inside the booted system, with its own Python and nothing but the standard library."""
