"""What makes a good service: it says how it is, and lets go of power it does not need."""
