'use strict';

/** Programs that treat every deprecation as an error, also those that Node tells of only when asked. */

const { describeOurs, ROOT, runNode } = require('../support');

/** Makes bursts of requests, which come back in batches, over HTTP and HTTPS. */
async function useEverything({ root }) {
  const { once } = require('node:events');
  const certificates = require(`${root}/__test__/support/certificates`);
  const path = require('node:path');
  const ferrequest = require(root);
  const ferrequestHttps = require(path.join(root, 'https'));
  require(path.join(root, 'register'));
  const http = require('node:http');
  const https = require('node:https');

  const onRequest = (req, res) => req.on('data', () => {}).on('end', () => res.end('body'));
  const plain = http.createServer(onRequest).listen(0, '127.0.0.1');
  const secure = https.createServer(certificates.local, onRequest).listen(0, '127.0.0.1');
  await Promise.all([once(plain, 'listening'), once(secure, 'listening')]);
  for (const [client, server] of [[ferrequest, plain], [ferrequestHttps, secure], [http, plain], [https, secure]]) {
    const { port } = server.address();
    const agent = new client.Agent({ keepAlive: true, ca: certificates.ca });
    for (let round = 0; round < 2; round++) {
      await Promise.all(Array.from({ length: 40 }, () => new Promise((resolve, reject) => {
        const req = client.request({ port, host: '127.0.0.1', agent, method: 'POST' }, (res) => {
          res.on('data', () => {}).on('end', resolve);
        });
        req.on('error', reject).end('body');
      })));
    }
    agent.destroy();
  }
  plain.close();
  secure.close();
  console.log('done');
}

describeOurs('with --pending-deprecation --throw-deprecation', () => {
  it('requests of http, of https and of all registered modules work, and warn of nothing', async () => {
    const argv = ['--pending-deprecation', '--throw-deprecation', '-e',
      `(${useEverything})(${JSON.stringify({ root: ROOT })})`];
    const { code, stdout, stderr } = await runNode(argv, { timeout: 30000 });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'done\n', stderr: '' });
  });
});
