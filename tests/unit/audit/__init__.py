"""Tests of the audit, against moto's server on loopback."""
