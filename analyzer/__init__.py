"""Names the programs that call the EC2 Instance Metadata Service, and how they call it."""

__version__ = "0.2.0"
