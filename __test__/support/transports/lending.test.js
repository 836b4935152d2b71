'use strict';

/** The tests over a lent connection rely on lend(), which must notice when an exchange began anywhere else. */

const { describeNative, exchange, http, newAgent, serve } = require('..');
const { lend } = require('./lending');

const LONG = 'x'.repeat(10_000);

describeNative('lend()', () => {
  it.each([
    ['true of a small request', () => {}, {}, true],
    ['false of one with a long header, which the I/O thread sends', () => {}, { headers: { X: LONG } }, false],
    ['nothing of one on another connection', (socket) => socket.destroy(), {}, undefined],
  ])('tells %s', async (_, touch, options, expected) => {
    const peer = await serve((req, res) => req.resume().on('end', () => res.end(req.url)));
    const agent = newAgent({ keepAlive: true });
    let begun;
    await lend(http, agent, peer.server, peer.address, (isDirect) => { begun = isDirect; });
    expect(peer.accepted).toHaveLength(0);
    const [[socket]] = Object.values(agent.freeSockets);
    touch(socket);
    const { body } = await exchange({ ...peer.address, agent, path: '/first', ...options });
    expect(String(body)).toBe('/first');
    expect(begun).toBe(expected);
    expect(peer.accepted).toHaveLength(1);
  });

  it('wants an agent that keeps connections alive', async () => {
    const peer = await serve();
    await expect(lend(http, newAgent(), peer.server, peer.address, () => {})).rejects.toThrow('kept alive');
  });
});
