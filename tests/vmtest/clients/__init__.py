"""Real clients of IMDS, old and new, against the lab's IMDS with the analyzer watching.

``environments`` says how to get one, ``targets`` how for a machine of another type, ``store``
keeps what was got, ``expectations`` what each kind of client is known to send, ``roster`` which
clients there are, ``trial`` runs one, ``evidence`` compares what the log says with what IMDS
counted, ``table`` shows it.
"""
