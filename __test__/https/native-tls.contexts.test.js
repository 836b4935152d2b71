'use strict';

/** Connections of one policy have a secure context in common, wherever they are; those of another one do not. */

const { certificates, exchangeTls, https, serveTls } = require('../support/tls');

const { ca, named } = certificates;

/** An agent that gives all connections one name. */
class CarelessAgent extends https.Agent {
  getName() {
    return 'the same';
  }
}

describe('a request', () => {
  it('trusts nobody by an earlier one that its agent has given the same name', async () => {
    const peer = await serveTls((req, res) => res.end());
    const agent = new CarelessAgent({ maxCachedSessions: 0 });
    await exchangeTls({ ...peer.address, agent, ca });
    await expect(exchangeTls({ ...peer.address, agent })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
  });

  it('trusts nobody by bytes that have been replaced since', async () => {
    const peer = await serveTls((req, res) => res.end());
    const agent = new https.Agent({ maxCachedSessions: 0 });
    const bytes = Buffer.from(ca.padEnd(named.cert.length, '\n'));
    await exchangeTls({ ...peer.address, agent, ca: bytes });
    bytes.fill('\n').write(named.cert);
    await expect(exchangeTls({ ...peer.address, agent, ca: bytes })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
  });
});
