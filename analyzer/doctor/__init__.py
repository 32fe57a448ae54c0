"""What this host can do: checks that change nothing, and a trial of each probe."""
