"""The project's figures, measured: ``python -m bench`` (root)."""
