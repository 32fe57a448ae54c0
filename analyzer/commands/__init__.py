"""The commands of imds-analyzer, a module each."""
