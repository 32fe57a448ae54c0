"""Unit tests of analyzer/clients."""
