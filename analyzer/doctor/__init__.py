"""Checks what this host can do; changes nothing, and tries each probe."""
