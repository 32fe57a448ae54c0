"""install.sh, run on hosts that are only directories; no root, no network."""
