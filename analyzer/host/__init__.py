"""Reads facts about this machine and its kernel."""
