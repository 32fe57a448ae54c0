"""Unit tests of analyzer/recorder/packet_export."""
