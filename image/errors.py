"""Defines the error of building the image."""

from __future__ import annotations


class ImageError(Exception):
    """A part of the image is unavailable on this machine; says what to do."""
