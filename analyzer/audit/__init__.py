"""Reads AWS accounts into a snapshot: ``imds-analyzer audit``. It never writes to AWS."""
