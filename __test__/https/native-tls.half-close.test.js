'use strict';

/** A user ends the socket of a request before TLS is established, and hears what Node's client tells. */

const nodeHttps = require('node:https');

const { certificates, https, newTlsAgent, serveTls } = require('../support/tls');

/**
 * Makes a request whose socket ends on an event.
 * @returns {Promise<string[]>} The events of the socket and the request until that closes.
 */
async function eventsUntilClose({ request }, { when, ...options }) {
  const events = [];
  const req = request(options);
  req.on('socket', (socket) => {
    for (const name of ['connect', 'secureConnect', 'finish', 'end']) socket.on(name, () => events.push(name));
    socket.on('error', ({ code }) => events.push(`socket: ${code}`));
    if (when === 'socket') socket.end();
    else socket.once(when, () => socket.end());
  });
  req.on('response', (res) => res.resume().on('end', () => events.push('end of response')));
  req.on('error', ({ code, message }) => events.push(`${code} ${message}`));
  const closed = new Promise((resolve) => { req.on('close', resolve); });
  req.end('body');
  await closed;
  return events;
}

describe.each(['TLSv1.2', 'TLSv1.3'])('with %s', (version) => {
  it.each(['socket', 'connect', 'secureConnect'])('end() in a listener of \'%s\' says what Node says', async (when) => {
    const peer = await serveTls((req, res) => res.end('answer'), { minVersion: version, maxVersion: version });
    const options = { ...peer.address, method: 'POST', when };
    const agent = new nodeHttps.Agent({ ca: certificates.ca });
    const expected = await eventsUntilClose(nodeHttps, { ...options, agent });
    for (let i = 0; i < 5; i++) {
      expect(await eventsUntilClose(https, { ...options, agent: newTlsAgent() })).toEqual(expected);
    }
    expect(expected.join()).not.toContain('EPIPE');
  });
});
