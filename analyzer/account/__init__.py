"""Defines the snapshot of AWS accounts: what ``audit`` collects and ``report`` joins."""
