// Node's fetch: without a token, for one, and with it or again without.
'use strict';

async function ask(method, path, headers = {}) {
  const signal = AbortSignal.timeout(1000 * Number(process.env.IMDS_TIMEOUT_S));
  try {
    const response = await fetch(process.env.IMDS_URL + path, { method, headers, signal });
    const body = await response.text();
    return response.ok ? body : null;
  } catch {
    return null;
  }
}

(async () => {
  await fetch('data:,'); // has it load itself, which is not to count as waiting
  await ask('GET', '/latest/meta-data/instance-id');
  const token = await ask('PUT', '/latest/api/token', { 'X-aws-ec2-metadata-token-ttl-seconds': '60' });
  await ask('GET', '/latest/meta-data/instance-id', token ? { 'X-aws-ec2-metadata-token': token } : {});
})();
