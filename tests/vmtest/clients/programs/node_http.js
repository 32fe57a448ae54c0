// Node's http module: without a token, for one, and with it or again without.
'use strict';
const http = require('http');

const timeout = 1000 * Number(process.env.IMDS_TIMEOUT_S);

function ask(method, path, headers = {}) {
  return new Promise((resolve) => {
    const request = http.request(process.env.IMDS_URL + path, { method, headers, timeout }, (response) => {
      let body = '';
      response.on('data', (part) => { body += part; });
      response.on('end', () => resolve(response.statusCode === 200 ? body : null));
    });
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', () => resolve(null));
    request.end();
  });
}

(async () => {
  await ask('GET', '/latest/meta-data/instance-id');
  const token = await ask('PUT', '/latest/api/token', { 'X-aws-ec2-metadata-token-ttl-seconds': '60' });
  await ask('GET', '/latest/meta-data/instance-id', token ? { 'X-aws-ec2-metadata-token': token } : {});
})();
