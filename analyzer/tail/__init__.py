"""The log for a person who watches it: followed over rotation, one readable line per request."""
