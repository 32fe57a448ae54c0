"""Captures packets of this host's interfaces, where the kernel takes no probe."""
