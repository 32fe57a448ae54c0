"""install.sh on the real thing: Debian 11, 12 and 13, each booted with its own systemd.

``systems`` says which, ``roots`` makes their disks and keeps them, ``bundle`` builds what is
installed, ``machine`` boots a private copy of a disk, ``guest`` holds the programs that run
inside, ``report`` judges what they wrote, ``__main__`` puts these together.
"""
