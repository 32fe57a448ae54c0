"""The live suite, and the real clients, on other kernels than the machine's own.

``mirror`` reads where this machine gets Debian from, ``packages`` fetches from there,
``kernels`` and ``trees`` keep what was fetched, ``machine`` boots it, with ``guest`` or
``arm64``, ``suite`` and ``clients`` say what to run and read the results, ``__main__`` puts
these together.
"""
