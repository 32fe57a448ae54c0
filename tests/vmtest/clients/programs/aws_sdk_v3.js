// The JavaScript SDK v3's provider for EC2; it calls nothing but IMDS.
'use strict';
const { fromInstanceMetadata } = require('@aws-sdk/credential-providers');

const timeout = 1000 * Number(process.env.IMDS_TIMEOUT_S);
fromInstanceMetadata({ timeout, maxRetries: 0 })().then(
  (credentials) => console.log('found:', credentials.accessKeyId),
  (error) => console.log('found:', error.message),
);
