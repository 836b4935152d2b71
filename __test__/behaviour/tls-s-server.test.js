'use strict';

/** OpenSSL's own server renews keys, shakes hands again and asks for certificates in the middle of a connection. */

const { until } = require('../support');
const { hasOpenssl, startServer } = require('../support/s-server');
const { certificates } = require('../support/tls');
const { expectAsNode, observeOnce } = require('../support/tls-observer');

const { ca, client } = certificates;

/** Runs where the machine has openssl; the name of the tests that are skipped says so. */
const describeOpenssl = hasOpenssl ? describe : describe.skip;

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde';

/** Commands of s_server: what it does, the letter, options of the server, options of the client. */
const COMMANDS = [
  ['does nothing', '', ['-tls1_3'], {}],
  ['renews its keys', 'k\n', ['-tls1_3'], {}],
  ['renews its keys and asks for others', 'K\n', ['-tls1_3'], {}],
  ['shakes hands again', 'r\n', ['-tls1_2'], {}],
  ['shakes hands again and asks for a certificate', 'R\n', ['-tls1_2'], client],
  ['shakes hands again and asks for a certificate that is missing', 'R\n', ['-tls1_2'], {}],
  ['does nothing in TLS 1.2', '', ['-tls1_2'], {}],
  ['has no tickets', '', ['-tls1_3', '-num_tickets', '0'], {}],
  ['has ten tickets', '', ['-tls1_3', '-num_tickets', '10'], {}],
  ['sends records of 512 bytes', '', ['-tls1_3', '-max_send_frag', '512'], {}],
  ['has no middlebox compatibility', '', ['-tls1_3', '-no_middlebox'], {}],
  ['wants a certificate', '', ['-tls1_3', '-verify', '1'], client],
  ['wants a certificate in TLS 1.2', '', ['-tls1_2', '-verify', '1'], client],
  ['asks for another group', '', ['-tls1_3', '-groups', 'P-521'], {}],
];

/** Makes a request, and has the server carry out a command in the middle of the body. */
async function ask(module, server, command, options) {
  server.forget();
  const stage = { isAnswered: false, isOver: false };
  const visit = (req) => req.on('response', () => { stage.isAnswered = true; });
  const observation = observeOnce(module, { ...server.address, ca, visit, ...options }).then((seen) => {
    stage.isOver = true;
    // Chance decides whether another handshake is complete before the response is.
    const isNews = (entry, index, all) => !/^socket se(cure|ssion)/.test(entry) || all.indexOf(entry) === index;
    return { ...seen, socketEvents: seen.socketEvents.filter(isNews) };
  });
  const reaches = (condition, what) => until(() => stage.isOver || condition(), () => `${what}: ${server.output()}`);
  await reaches(() => server.output().includes('Connection: '), 'the request');
  await server.say(HEAD);
  await reaches(() => stage.isAnswered, 'the response');
  server.forget();
  if (command !== '') {
    await server.say(command);
    // Each command sends a message of the handshake, which the server prints.
    await reaches(() => />>> TLS 1\.[23], Handshake/.test(server.output()), 'the command');
  }
  if (!stage.isOver) await server.say('fghij');
  return observation;
}

describeOpenssl('openssl s_server (skipped where the machine has no openssl)', () => {
  it.each(COMMANDS)('%s in the middle of a body', async (_what, command, serverOptions, options) => {
    const server = await startServer(['-msg', ...serverOptions]);
    const seen = await expectAsNode((module) => ask(module, server, command, options));
    expect([seen.status, seen.body.slice(0, 5)]).toEqual([200, 'abcde']);
    if (command.startsWith('R')) return;
    expect([seen.body, seen.complete, seen.error]).toEqual(['abcdefghij', true, undefined]);
  });
});
