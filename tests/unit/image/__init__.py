"""Tests of the image's preparation."""
