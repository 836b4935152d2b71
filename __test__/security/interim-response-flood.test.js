'use strict';

/**
 * Interim responses (RFC 9110 section 15.2) have no number that a peer may not pass; they must cost nothing that adds
 * up.
 */

const {
  http, newAgent, serveAnswer, responseTo, bytesOf, exchange, untilPoolIsEmpty, record,
} = require('../support');
const { describeTransports } = require('../support/transports');

describeTransports('a peer', ({ agentTo, ...transport }) => {
  it('may send thousands of interim responses before the final one', async () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n';
    const peer = await transport.serveAnswer(
      `${interim.repeat(5000)}HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi`);
    const agent = await agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const seen = { information: 0, continue: 0 };
    req.on('information', (info) => {
      seen.information++;
      expect(info.headers).toEqual(info.statusCode === 103 ? { link: '</x>' } : {});
    });
    req.on('continue', () => seen.continue++);
    expect((await bytesOf(await responseTo(req))).toString()).toBe('hi');
    expect(seen).toEqual({ information: 5001, continue: 1 });
    expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(true);
  });

  it('that sends them without end can be stopped', async () => {
    const peer = await transport.serveRaw((socket) => {
      const many = 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000);
      const pump = () => {
        while (!socket.destroyed && socket.write(many)) { /* until the client is slower */ }
      };
      socket.on('error', () => {});
      socket.on('drain', pump);
      pump();
    });
    const agent = await agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const { events } = record(req);
    let count = 0;
    req.on('information', () => ++count === 20_000 && req.destroy());
    req.on('error', () => {});
    await new Promise((resolve) => { req.on('close', resolve); });
    expect(events).not.toContain('req response');
    expect(events.slice(-2)).toEqual(['req error ECONNRESET', 'req close']);
    await untilPoolIsEmpty(agent);
  });
});

it('an upgrade that nobody asked for closes the connection', async () => {
  const peer = await serveAnswer(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\nbytes');
  const agent = newAgent({ keepAlive: true });
  const req = http.get({ ...peer.address, agent });
  const { events } = record(req);
  req.on('error', () => {});
  await new Promise((resolve) => { req.on('close', resolve); });
  expect(events).not.toContain('req response');
  await untilPoolIsEmpty(agent);
});
