"""Knows the clients of IMDS: programs and libraries, and since when each needs no v1."""
