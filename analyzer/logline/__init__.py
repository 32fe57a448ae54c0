"""Defines the log line: the contract between the recorder and its readers."""
