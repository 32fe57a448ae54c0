"""The live suite on other kernels than the machine's own, in virtual machines.

``mirror`` reads where this machine gets Debian from, ``packages`` fetches from there,
``kernels`` keeps what was fetched, ``machine`` boots it, ``suite`` says what to run and
reads the results, ``__main__`` puts these together.
"""
