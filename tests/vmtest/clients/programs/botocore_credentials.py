"""Have botocore look for credentials; it asks IMDS when it finds none nearer."""

import os

import botocore.session

os.environ["AWS_METADATA_SERVICE_TIMEOUT"] = os.environ["IMDS_TIMEOUT_S"]
credentials = botocore.session.Session().get_credentials()
print("found:", credentials and credentials.access_key)
