// The JavaScript SDK v2's provider for EC2; it has no region and calls nothing but IMDS.
'use strict';
const AWS = require('aws-sdk');

const timeout = 1000 * Number(process.env.IMDS_TIMEOUT_S);
// Its own limit for connecting is one second, too short for an emulated machine.
const httpOptions = { timeout, connectTimeout: timeout };
const credentials = new AWS.EC2MetadataCredentials({ httpOptions, maxRetries: 0 });
credentials.refresh((error) => console.log('found:', error ? error.message : credentials.accessKeyId));
