"""Lays out 200 labelled files: half would call IMDSv1 once they run, half only mention IMDS."""
