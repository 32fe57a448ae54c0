"""The ways in which a program can hand bytes to the kernel, beyond a plain send."""
