"""Reads which code a program runs: libraries with versions, owning packages, script lines.

The recorder asks for one process, ``imds-analyzer scan`` for files. Nothing is executed, and
nothing but names, versions, places and masked lines leaves this package.
"""
