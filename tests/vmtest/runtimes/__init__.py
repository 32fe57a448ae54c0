"""tests/containers in a booted machine: below a real systemd, version 2 of cgroups alone."""
