'use strict';

/** Urgent data of TCP (RFC 9293, section 3.8.5), which is no part of the stream that HTTP is spoken on. */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { cleanUp, http, responseTo, unreadBytes } = require('../support');
const { hasPerl } = require('../support/perl');
const { describeTransports } = require('../support/transports');

const PIECES = 20;

/**
 * Node cannot send it, perl can. Answers warm-up requests with nothing, and any other with a body of so many bytes. A
 * line from the standard input has it send a byte behind an urgent one, and another urgent one after the last; or, for
 * /together, a byte on either side of one.
 */
const SCRIPT = `
  use Socket; $| = 1;
  socket(L, PF_INET, SOCK_STREAM, 0) && bind(L, pack_sockaddr_in(0, INADDR_LOOPBACK)) && listen(L, 9) or die $!;
  my ($port) = unpack_sockaddr_in(getsockname(L));
  print "$port\\n";
  accept(C, L) or die $!;
  sub answer { send(C, "HTTP/1.1 200 OK\\r\\nContent-Length: $_[0]\\r\\n\\r\\n", 0); }
  while (1) {
    my $request = '';
    while ($request !~ /\\r\\n\\r\\n$/) { sysread(C, $request, 65536, length $request) or exit; }
    if ($request =~ m{^GET /warm-up }) { answer(0); next; }
    my $together = $request =~ m{^GET /together };
    answer(${PIECES});
    for (1..${PIECES} / ($together ? 2 : 1)) {
      <STDIN>;
      send(C, 'x', 0) if $together;
      send(C, '!', MSG_OOB);
      send(C, 'x', 0);
    }
    send(C, '!', MSG_OOB) unless $together;
  }`;

/** @returns {Promise<{ address: object, goOn: () => void }>} */
async function serveUrgently() {
  const child = spawn('perl', ['-e', SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
  cleanUp(() => child.kill());
  const [port] = await once(child.stdout, 'data');
  return { address: { host: '127.0.0.1', port: Number(port) }, goOn: () => child.stdin.write('\n') };
}

/** Keeps the event loop busy until that many bytes have arrived, which a thread that reads would not leave there. */
function blockUntilUnread(socket, count) {
  for (const end = performance.now() + 15_000; unreadBytes(socket) < count;) {
    if (performance.now() > end) throw new Error(`${unreadBytes(socket)} bytes have arrived`);
  }
}

/** Asks for a piece when it has the one before: an urgent byte is one of the stream for the kernel if another comes. */
async function ask({ address, goOn }, agent, { path = '/', onAsked = () => {}, size = 1 } = {}) {
  const req = http.get({ ...address, agent, path });
  req.setTimeout(20_000, () => req.destroy(new Error('no piece came any more')));
  const res = await responseTo(req);
  let body = '';
  const next = () => {
    goOn();
    onAsked(req.socket);
  };
  next();
  for await (const piece of res) {
    body += piece;
    if (body.length < PIECES && body.length % size === 0) next();
  }
  return { req, body };
}

/** Urgent data is of TCP, and none of TLS. */
const hasUrgentData = ({ isTls }) => process.platform === 'linux' && !isTls;

(hasPerl ? describeTransports : describe.skip)('an urgent byte', (transport) => {
  it('between the pieces of a body takes nothing away from it, and does not stop it', async () => {
    const peer = await serveUrgently();
    const { body } = await ask(peer, await transport.agentTo(peer));
    expect(body).toBe('x'.repeat(PIECES));
  });

  it('between two bytes that have arrived before the client reads takes neither away', async () => {
    const peer = await serveUrgently();
    const { body } = await ask(peer, await transport.agentTo(peer), {
      path: '/together',
      size: 2,
      // The I/O thread reads beside this one.
      onAsked: (socket) => transport.isStream || transport.isLent ? blockUntilUnread(socket, 3) : undefined,
    });
    expect(body).toBe('x'.repeat(PIECES));
  });

  it('on an idle connection leaves it fit for the next request', async () => {
    const peer = await serveUrgently();
    const agent = await transport.agentTo(peer);
    const reused = [];
    for (let i = 0; i < 3; i++) {
      const free = once(agent, 'free');
      const { req, body } = await ask(peer, agent);
      await free;
      expect(body).toBe('x'.repeat(PIECES));
      reused.push(req.reusedSocket);
    }
    expect(reused).toEqual([transport.isLent, true, true]);
  });
}, hasUrgentData);
