"""The recorder's look at the code of callers."""
