"""The package ec2-metadata: one page of the metadata."""

from ec2_metadata import ec2_metadata

print(ec2_metadata.instance_id)
