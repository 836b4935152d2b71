'use strict';

/** Urgent data of TCP (RFC 9293, section 3.8.5), which is no part of the stream that HTTP is spoken on. */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { cleanUp, describeLinux, http, newAgent, responseTo } = require('../support');

const PIECES = 20;

/**
 * Node cannot send it, perl can: answers each request with a body of so many bytes, each behind an urgent one, and sent
 * when a line comes from the standard input. Behind the response comes another urgent byte.
 */
const SCRIPT = `
  use Socket; $| = 1;
  socket(L, PF_INET, SOCK_STREAM, 0) && bind(L, pack_sockaddr_in(0, INADDR_LOOPBACK)) && listen(L, 9) or die $!;
  my ($port) = unpack_sockaddr_in(getsockname(L));
  print "$port\\n";
  accept(C, L) or die $!;
  while (1) {
    my $request = '';
    while ($request !~ /\\r\\n\\r\\n$/) { sysread(C, $request, 65536, length $request) or exit; }
    send(C, "HTTP/1.1 200 OK\\r\\nContent-Length: ${PIECES}\\r\\n\\r\\n", 0);
    for (1..${PIECES}) { <STDIN>; send(C, '!', MSG_OOB); send(C, 'x', 0); }
    send(C, '!', MSG_OOB);
  }`;

/** @returns {Promise<{ address: object, goOn: () => void }>} */
async function serveUrgently() {
  const child = spawn('perl', ['-e', SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
  cleanUp(() => child.kill());
  const [port] = await once(child.stdout, 'data');
  return { address: { host: '127.0.0.1', port: Number(port) }, goOn: () => child.stdin.write('\n') };
}

/** Asks for a piece when it has the one before: an urgent byte is one of the stream for the kernel if another comes. */
async function ask({ address, goOn }, agent) {
  const req = http.get({ ...address, agent });
  const res = await responseTo(req);
  let body = '';
  goOn();
  for await (const piece of res) {
    body += piece;
    if (body.length < PIECES) goOn();
  }
  return { req, body };
}

describeLinux('an urgent byte', () => {
  it('between the pieces of a body takes nothing away from it, and does not stop it', async () => {
    const { body } = await ask(await serveUrgently(), newAgent());
    expect(body).toBe('x'.repeat(PIECES));
  });

  it('on an idle connection leaves it fit for the next request', async () => {
    const peer = await serveUrgently();
    const agent = newAgent({ keepAlive: true });
    const reused = [];
    for (let i = 0; i < 3; i++) {
      const free = once(agent, 'free');
      const { req, body } = await ask(peer, agent);
      await free;
      expect(body).toBe('x'.repeat(PIECES));
      reused.push(req.reusedSocket);
    }
    expect(reused).toEqual([false, true, true]);
  });
});
