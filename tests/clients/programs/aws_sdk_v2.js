// The JavaScript SDK v2's provider for EC2; it has no region and calls nothing but IMDS.
'use strict';
const AWS = require('aws-sdk');

const timeout = 1000 * Number(process.env.IMDS_TIMEOUT_S);
const credentials = new AWS.EC2MetadataCredentials({ httpOptions: { timeout }, maxRetries: 0 });
credentials.refresh((error) => console.log('found:', error ? error.message : credentials.accessKeyId));
