"""Reads the configuration file and holds the settings."""
