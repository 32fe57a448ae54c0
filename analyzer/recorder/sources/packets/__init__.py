"""From link-layer frames to what was sent and answered on each connection; no I/O."""
