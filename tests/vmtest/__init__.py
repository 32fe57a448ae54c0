"""Runs the tests in virtual machines, on other systems and with real clients."""
