'use strict';

/** A lookup may make a request of its own, as one by DNS over HTTPS does. */

const { exchangeTls, https, newTlsAgent, serveTls } = require('../support/tls');

it('a connection that is made within the call of another one leaves that its own', async () => {
  const peer = await serveTls((req, res) => res.end(req.url));
  const { host: address, port } = peer.address;
  const agent = newTlsAgent();
  const answer = ({ all }) => (all ? [[{ address, family: 4 }]] : [address, 4]);
  const atOnce = (name, how, callback) => callback(null, ...answer(how));
  const common = { host: 'localhost', port, family: 4, agent };
  const inner = [];
  const byRequest = (name, how, callback) => {
    inner.push(new Promise((resolve, reject) => {
      const req = https.get({ ...common, path: '/inner', lookup: atOnce }, (res) => {
        resolve(res.toArray().then((chunks) => String(Buffer.concat(chunks))));
      });
      req.on('error', reject);
    }));
    setImmediate(callback, null, ...answer(how));
  };
  const { body } = await exchangeTls({ ...common, path: '/outer', lookup: byRequest });
  expect(String(body)).toBe('/outer');
  expect(await Promise.all(inner)).toEqual(['/inner']);
});
