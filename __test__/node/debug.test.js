'use strict';

/** NODE_DEBUG=ferrequest: what a request and its connection go through, on stderr. */

const { describeOurs, isNative, runScript } = require('../support');

/** Name of the class of sockets. */
const SOCKET = isNative ? 'NativeSocket' : 'Socket';

/** Two requests on one connection, one that is called off, one that fails, and one answered with garbage. */
function main(http) {
  const net = require('node:net');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const get = (port, path, then, onRequest) => {
    const req = http.get({ agent, port, path }, (res) => res.resume());
    req.on('error', () => {});
    // Once the socket is back in the pool.
    req.once('close', () => setImmediate(then));
    onRequest?.(req);
  };
  const garbage = net.createServer((socket) => socket.once('data', () => socket.end('garbage\r\n\r\n')));
  const server = http.createServer((req, res) => {
    if (req.url !== '/never') res.end('hello');
  });
  server.listen(0, () => garbage.listen(0, () => {
    const { port } = server.address();
    get(port, '/one', () => get(port, '/two', () => get(port, '/never', () => {
      get(garbage.address().port, '/garbage', () => {
        server.close();
        garbage.close();
        const closed = net.createServer().listen(0, () => {
          const nobody = closed.address().port;
          closed.close(() => get(nobody, '/refused', () => agent.destroy()));
        });
      });
    }, (req) => req.once('socket', () => req.destroy(new Error('enough'))))));
  }));
}

/** @returns {Promise<string[]>} its lines on stderr, without what is different each time */
async function trace(env) {
  const { stderr, code } = await runScript(main, { env });
  expect(code).toBe(0);
  const withoutNumbers = (line) => line.replace(/^FERREQUEST \d+: /, '').replace(/:\d+/g, ':PORT');
  return stderr.split('\n').filter(Boolean).map(withoutNumbers);
}

describeOurs('NODE_DEBUG=ferrequest', () => {
  let lines;

  beforeAll(async () => { lines = await trace({ NODE_DEBUG: 'ferrequest' }); });

  it('tells of a request, its connection, its response, and that the connection is free', () => {
    expect(lines).toEqual(expect.arrayContaining([
      'request 1: GET http://localhost:PORT/one',
      `request 1: has connection 1 (new ${SOCKET})`,
      'request 1: response 200 OK (keep-alive)',
      'connection 1: free',
    ]));
  });

  it('shows that the next request has the same connection', () => {
    expect(lines).toContain(`request 2: has connection 1 (reused ${SOCKET})`);
  });

  it('tells of a request that is called off, with its error', () => {
    expect(lines).toEqual(expect.arrayContaining([
      'request 3: destroyed with Error',
      'request 3: error Error (enough)',
      'connection 1: closed',
    ]));
  });

  it('tells of bytes that are not HTTP, with the code and the place', () => {
    const line = lines.find((each) => each.includes('parse error'));
    expect(line).toMatch(/^connection 2: parse error HPE_\w+ behind \d+ bytes$/);
  });

  it('tells of a connection that is refused', () => {
    expect(lines.find((line) => line.includes('ECONNREFUSED'))).toMatch(/^request 5: error ECONNREFUSED/);
  });

  it('is silent when it is not asked for', async () => {
    expect(await trace({ NODE_DEBUG: '' })).toEqual([]);
  });
});
