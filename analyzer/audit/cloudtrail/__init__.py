"""Looks up in CloudTrail what instances' credentials were used for."""
