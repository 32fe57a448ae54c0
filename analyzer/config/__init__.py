"""The configuration file and the settings in it."""
