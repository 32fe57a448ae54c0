"""Lists the libraries that call IMDS or decide how it is called, by ecosystem."""

from __future__ import annotations

# Names as normalised by PyPI, with the folder that is imported.
PYPI = {
    "aioboto3": "aioboto3",
    "aiobotocore": "aiobotocore",
    "ansible": "ansible",
    "ansible-base": "ansible",
    "ansible-core": "ansible",
    "apache-libcloud": "libcloud",
    "aws-cfn-bootstrap": "cfnbootstrap",
    "aws-requests-auth": "aws_requests_auth",
    "aws-xray-sdk": "aws_xray_sdk",
    "awscli": "awscli",
    "awscli-cwlogs": "cwlogs",
    "awsebcli": "ebcli",
    "boto": "boto",
    "boto3": "boto3",
    "botocore": "botocore",
    "cloud-init": "cloudinit",
    "datadog": "datadog",
    "ddtrace": "ddtrace",
    "ec2-metadata": "ec2_metadata",
    "elastic-apm": "elasticapm",
    "google-auth": "google/auth",
    "metaflow": "metaflow",
    "minio": "minio",
    "newrelic": "newrelic",
    "opentelemetry-sdk-extension-aws": "opentelemetry/sdk/extension/aws",
    "requests-aws": "awsauth.py",
    "requests-aws4auth": "requests_aws4auth",
    "s3cmd": "S3",
    "s3fs": "s3fs",
    "s3transfer": "s3transfer",
    "salt": "salt",
}

# A scope's clients, `@aws-sdk/client-*`, come beside these.
NPM = frozenset({
    "@aws-sdk/credential-provider-imds",
    "@aws-sdk/credential-provider-node",
    "@aws-sdk/credential-providers",
    "@aws-sdk/ec2-metadata-service",
    "@instana/collector",
    "@smithy/credential-provider-imds",
    "aws-sdk",
    "dd-trace",
    "elastic-apm-node",
    "minio",
    "newrelic",
})  # fmt: skip

GEM = frozenset({
    "aws-s3",
    "aws-sdk",
    "aws-sdk-core",
    "aws-sdk-resources",
    "aws-sdk-v1",
    "chef",
    "datadog",
    "ddtrace",
    "elastic-apm",
    "facter",
    "fluent-plugin-cloudwatch-logs",
    "fluent-plugin-ec2-metadata",
    "fluent-plugin-s3",
    "fog",
    "fog-aws",
    "newrelic_rpm",
    "ohai",
    "puppet",
    "right_aws",
})  # fmt: skip

COMPOSER = frozenset({"async-aws/core", "aws/aws-sdk-php", "elastic/apm-agent"})

# Modules, with the file in a folder of @INC.
CPAN = {
    "AWS::CLIWrapper": "AWS/CLIWrapper.pm",
    "AWS::S3": "AWS/S3.pm",
    "Amazon::S3": "Amazon/S3.pm",
    "Net::Amazon::EC2": "Net/Amazon/EC2.pm",
    "Net::Amazon::S3": "Net/Amazon/S3.pm",
    "Paws": "Paws.pm",
    "VM::EC2": "VM/EC2.pm",
}
