"""Lists the libraries that are reported: those that call IMDS, or belong to one that does.

A program has hundreds of libraries. All others are left out, which bounds what is read and logged.
Names are as their ecosystem has them. A name that ends in ``*`` stands for all that begin so. The
order within a list is the order of reports: what sends the requests comes first.
"""

from __future__ import annotations

import functools
from typing import Optional

LIBRARIES_MAX = 64  # of a process and finder: an AWS bundle has 400, and its first ones tell all

# group:artifact. The AWS SDK's parts of one version belong together, so all of them count.
MAVEN = (
    "com.amazonaws:aws-java-sdk-core",
    "com.amazonaws:aws-java-sdk-bundle",
    "com.amazonaws:aws-java-sdk",
    "software.amazon.awssdk:imds",
    "software.amazon.awssdk:auth",
    "software.amazon.awssdk:regions",
    "software.amazon.awssdk:sdk-core",
    "software.amazon.awssdk:bundle",
    "org.apache.hadoop:hadoop-aws",
    # These call IMDS by themselves, some of them to find out which cloud they are in.
    "com.netflix.eureka:eureka-client",
    "com.newrelic.agent.java:*",
    "com.datadoghq:dd-java-agent",
    "com.google.cloud:google-cloud-core",
    "com.google.auth:google-auth-library-oauth2-http",
    "com.azure:azure-identity",
    "io.opentelemetry.contrib:opentelemetry-aws-resources",
    "co.elastic.apm:*",
    "net.java.dev.jets3t:jets3t",
    # These use the SDK, and say which version of it they need.
    "com.amazonaws:*",
    "software.amazon.awssdk:*",
    "com.hazelcast:hazelcast-aws",
    "org.jgroups.aws:*",
    "org.apache.flink:flink-s3-fs-*",
    "io.awspring.cloud:*",
    "org.springframework.cloud:spring-cloud-aws-*",
)
# The group of an archive whose file name alone is known.
MAVEN_GROUPS = (
    ("aws-java-sdk*", "com.amazonaws"),
    ("hadoop-aws", "org.apache.hadoop"),
    ("eureka-client", "com.netflix.eureka"),
    ("newrelic-agent", "com.newrelic.agent.java"),
    ("dd-java-agent", "com.datadoghq"),
    ("google-cloud-core", "com.google.cloud"),
    ("google-auth-library-oauth2-http", "com.google.auth"),
    ("elastic-apm-agent", "co.elastic.apm"),
    ("jets3t", "net.java.dev.jets3t"),
    ("hazelcast-aws", "com.hazelcast"),
    ("flink-s3-fs-*", "org.apache.flink"),
    ("spring-cloud-aws-*", "org.springframework.cloud"),
)
# These names say too little by themselves: ``auth-2.20.1.jar`` may be anybody's. They count where
# an archive of the second list has the same version.
SDK2_ARTIFACTS = ("imds", "auth", "regions", "sdk-core", "bundle")
SDK2_WITNESSES = ("sdk-core", "aws-core", "http-client-spi")

GOLANG = (
    "github.com/aws/aws-sdk-go",
    "github.com/aws/aws-sdk-go-v2/feature/ec2/imds",
    "github.com/aws/aws-sdk-go-v2/config",
    "github.com/aws/aws-sdk-go-v2/credentials",
    "github.com/aws/aws-sdk-go-v2",
    "github.com/minio/minio-go*",
    "github.com/mitchellh/goamz",
    "github.com/goamz/goamz",
    "gopkg.in/amz.v*",
    "cloud.google.com/go/compute/metadata",
    "github.com/Azure/azure-sdk-for-go/sdk/azidentity",
    "github.com/hashicorp/go-discover",
    "github.com/newrelic/go-agent*",
    "go.opentelemetry.io/contrib/detectors/aws*",
    "github.com/DataDog/datadog-agent*",
    "github.com/hashicorp/aws-sdk-go-base*",
)
CARGO = (
    "aws-config",
    "aws-credential-types",
    "rusoto_credential",
    "rusoto_core",
    "object_store",
    "reqsign",
    "reqsign-aws-v4",
    "opendal",
    "rust-s3",
    "aws-creds",
    "aws-sdk-*",
)
NUGET = (
    "AWSSDK.Core",
    "AWSSDK.*",
    "Amazon.Extensions.*",
    "Datadog.Trace",
    "NewRelic.Agent*",
    "Azure.Identity",
    "Microsoft.Identity.Client",
    "Google.Cloud.*",
    "OpenTelemetry.Resources.AWS",
    "OpenTelemetry.ResourceDetectors.AWS",
)


def maybe_rank(name: str, names: tuple[str, ...]) -> Optional[int]:
    """Return the place of a name in one of the lists, 0 for the first; None if it is not there."""
    exact, beginnings = _indexed(names)
    rank = exact.get(name)
    for beginning, place in beginnings:
        if name.startswith(beginning):
            return place if rank is None or place < rank else rank
    return rank


@functools.lru_cache(maxsize=32)
def _indexed(names: tuple[str, ...]) -> tuple[dict[str, int], tuple[tuple[str, int], ...]]:
    """Return the places of whole names, and of beginnings: a jar asks for thousands of names."""
    places = [(name, place) for place, name in enumerate(names)]
    exact = {name: place for name, place in reversed(places) if not name.endswith("*")}
    return exact, tuple((name[:-1], place) for name, place in places if name.endswith("*"))
