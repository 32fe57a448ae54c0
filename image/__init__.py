"""Prepares the file system of the container image, which `make image` builds by Containerfile."""
