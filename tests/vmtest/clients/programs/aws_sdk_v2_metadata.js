// The AWS SDK for JavaScript 2: its own client of the metadata service, asked for a page.
'use strict';
const { MetadataService } = require('aws-sdk');

const service = new MetadataService({
  maxRetries: 0,
  httpOptions: { timeout: 1000 * Number(process.env.IMDS_TIMEOUT_S) },
});
service.request('/latest/meta-data/instance-id', (error, page) => {
  console.log(error ? `no page: ${error.message}` : page);
});
