"""Shows the log to a person who watches it: follows it, one readable line per request."""
