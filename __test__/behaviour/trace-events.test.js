'use strict';

/** Trace events of the category node.http (https://nodejs.org/api/tracing.html), in a process that writes them. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp, describeOurs, ROOT, runNode } = require('../support');

/** Runs `main(http, https)` with tracing on. Gives the events. */
async function trace(main, http, https) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-trace-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'events.json');
  const argv = ['--trace-event-categories', 'node.http', '--trace-event-file-pattern', file];
  const modules = [http, https].map((name) => `require(${JSON.stringify(name)})`);
  const { code, stderr } = await runNode([...argv, '-e', `(${main})(${modules})`]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { traceEvents } = JSON.parse(fs.readFileSync(file, 'utf8'));
  const events = traceEvents.filter(({ cat }) => cat.includes('node.http'));
  return events.map(({ ph, name, id, args }) => ({ ph, name, id, args }));
}

/** Makes requests of every kind, one after the other. */
async function makeRequests(http, https) {
  const { once } = require('node:events');
  const net = require('node:net');
  const tls = require('node:tls');
  const certificates = require('./__test__/support/certificates');

  const answers = {
    '/plain': 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody',
    '/missing?query': 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
    '/information': 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    '/upgrade': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    '/broken': 'HTTP/2.0\r\n\r\n',
    '/nothing': '',
  };
  const onConnection = (socket) => {
    socket.on('error', () => {}).on('data', (head) => {
      const [, path] = String(head).split(' ');
      if (answers[path] === '') socket.end();
      else socket.write(answers[path]);
    });
  };
  const servers = [net.createServer(onConnection), tls.createServer(certificates.local, onConnection)];
  for (const [index, server] of servers.entries()) {
    const client = [http, https][index];
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const agent = new client.Agent({ keepAlive: true, ca: certificates.ca });
    for (const path of [...Object.keys(answers), '/plain', '/plain']) {
      await new Promise((resolve) => {
        const headers = path === '/upgrade' ? { Connection: 'Upgrade', Upgrade: 'x' } : {};
        const req = client.get({ port: server.address().port, host: '127.0.0.1', path, headers, agent }, (res) => {
          res.resume().on('close', resolve);
        });
        req.on('error', resolve).on('upgrade', (res, socket) => socket.on('close', resolve).destroy());
      });
    }
    agent.destroy();
    server.close();
  }
}

describeOurs('trace events of requests', () => {
  it('begin and end as those of Node', async () => {
    const ours = await trace(makeRequests, ROOT, path.join(ROOT, 'https'));
    expect(ours).toEqual(await trace(makeRequests, 'node:http', 'node:https'));
    const ends = ours.filter(({ ph }) => ph === 'e').map(({ args }) => args.data);
    expect(ends).toContainEqual({ path: '/missing?query', statusCode: 404 });
    expect(ends.length).toBeGreaterThanOrEqual(10);
  });

  it('are not begun by loading the module', async () => {
    expect(await trace(() => {}, ROOT, path.join(ROOT, 'https'))).toEqual([]);
  });

  it('are not seen by those who watch for requests', async () => {
    const main = (http) => {
      const diagnostics = require('node:diagnostics_channel');
      const seen = [];
      for (const name of ['request.created', 'request.start', 'request.error', 'response.finish']) {
        diagnostics.subscribe(`http.client.${name}`, ({ request }) => seen.push(`${name} ${request.path}`));
      }
      const server = require('node:http').createServer((req, res) => res.end()).listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        http.get({ port, host: '127.0.0.1', path: '/mine', agent: false }, (res) => {
          res.resume().on('close', () => server.close());
        });
      });
      process.on('exit', () => {
        const own = ['request.start /mine', 'response.finish /mine'];
        const others = seen.filter((each) => !each.endsWith(' /mine'));
        if (others.length > 0 || !own.every((each) => seen.includes(each))) process.exitCode = 3;
      });
    };
    await trace(main, ROOT, path.join(ROOT, 'https'));
  });
});
