'use strict';

/** An open request keeps a process alive, an idle connection does not, and nothing delays its end. */

const { runScript, serve } = require('../support');

const ENDED = { code: 0, signal: null, timedOut: false, stderr: '' };

describe('a process', () => {
  it('ends by itself with idle connections in its pool, long before they time out', async () => {
    const peer = await serve((req, res) => res.end('body'), { keepAliveTimeout: 60000 });
    const result = await runScript((http, address) => {
      const agent = new http.Agent({ keepAlive: true, timeout: 60000 });
      let left = 5;
      const onClose = () => {
        if (--left === 0) setImmediate(() => console.log(Object.values(agent.freeSockets).flat().length));
      };
      for (let i = 0; i < 5; i++) http.get({ ...address, agent }, (res) => res.resume()).on('close', onClose);
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: '5\n' });
  });

  it('ends by itself with idle connections of the global agent', async () => {
    const peer = await serve((req, res) => res.end('body'), { keepAliveTimeout: 60000 });
    const result = await runScript((http, address) => {
      http.get(address, (res) => res.on('data', (chunk) => console.log(String(chunk))));
      // A process that waited until it times out would have none any more.
      process.on('exit', () => console.log(Object.values(http.globalAgent.freeSockets).flat().length));
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: 'body\n1\n' });
  });

  it.each([
    ['whose response has not come', '/slow', 'end'], ['whose response is being read', '/halves', 'half end'],
  ])('stays alive for a request %s', async (_, path, expected) => {
    const peer = await serve((req, res) => {
      if (req.url === '/halves') res.write('half ');
      setTimeout(() => res.end('end'), 400);
    });
    const result = await runScript((http, options) => {
      http.get(options, (res) => res.on('data', (chunk) => process.stdout.write(chunk)));
    }, { args: { ...peer.address, path } });
    expect(result).toMatchObject({ ...ENDED, stdout: expected });
  });

  it('stays alive for a response on a reused connection, and for requests that wait for one', async () => {
    const peer = await serve((req, res) => setTimeout(() => res.end('x'), 60));
    const result = await runScript((http, address) => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const get = (i) => http.get({ ...address, agent }, (res) => res.resume().on('end', () => console.log(i)));
      for (let i = 0; i < 4; i++) get(i);
    }, { args: { ...peer.address, host: 'localhost', family: 4 } });
    expect(result).toMatchObject({ ...ENDED, stdout: '0\n1\n2\n3\n' });
  });

  it('stays alive while it looks up a name', async () => {
    const peer = await serve((req, res) => res.end('x'));
    const result = await runScript((http, { port }) => {
      http.get({ host: 'localhost', port, family: 4 }, (res) => res.resume().on('end', () => console.log('end')));
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: 'end\n' });
  });

  it('stays alive for a body that the server takes slowly', async () => {
    const peer = await serve((req, res) => {
      let bytes = 0;
      req.on('data', (chunk) => { bytes += chunk.length; }).on('end', () => res.end(String(bytes)));
      req.pause();
      setTimeout(() => req.resume(), 200);
    });
    const result = await runScript((http, address) => {
      const req = http.request({ ...address, method: 'POST' }, (res) => {
        res.on('data', (chunk) => console.log(String(chunk)));
      });
      for (let i = 0; i < 100; i++) req.write(Buffer.alloc(100000));
      req.end();
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: '10000000\n' });
  });

  it('ends although a response is open, if its socket is unreferenced', async () => {
    const peer = await serve((req, res) => res.write('never ends'));
    const result = await runScript((http, address) => {
      http.get(address, (res) => {
        console.log('response');
        res.socket.unref();
      });
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: 'response\n' });
  });

  it('stays alive if the socket is referenced again', async () => {
    const peer = await serve((req, res) => {
      res.write('half ');
      setTimeout(() => res.end('end'), 300);
    });
    const result = await runScript((http, address) => {
      http.get(address, (res) => {
        res.socket.unref();
        res.socket.ref();
        res.on('data', (chunk) => process.stdout.write(chunk));
      });
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: 'half end' });
  });

  it('stays alive for an upgraded socket, until that is unreferenced', async () => {
    const peer = await serve();
    peer.server.on('upgrade', (req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
      setTimeout(() => socket.write('later'), 300);
    });
    const result = await runScript((http, address) => {
      const headers = { Connection: 'Upgrade', Upgrade: 'x' };
      http.get({ ...address, headers }).on('upgrade', (res, socket) => {
        socket.on('data', (chunk) => {
          console.log(String(chunk));
          socket.unref();
        });
      });
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: 'later\n' });
  });

  it('ends when its requests are destroyed, whatever they were doing', async () => {
    const peer = await serve((req, res) => {
      if (req.url === '/half') res.write('half');
    });
    const result = await runScript((http, address) => {
      const all = [
        http.get({ ...address, path: '/silent' }), http.get({ ...address, path: '/half' }),
        http.request({ ...address, method: 'POST' }), http.get({ host: 'name.test', lookup() {} }),
      ];
      all[1].on('response', (res) => res.on('error', () => {}));
      all[2].write(Buffer.alloc(10000000));
      let closed = 0;
      all.forEach((req) => req.on('error', () => {}).on('close', () => console.log(++closed)));
      setTimeout(() => all.forEach((req) => req.destroy()), 100);
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: '1\n2\n3\n4\n' });
  });

  it.each([
    ['socket', (req, exit) => req.on('socket', exit)],
    ['finish', (req, exit) => req.on('finish', exit)],
    ['response', (req, exit) => req.on('response', exit)],
    ['data', (req, exit) => req.on('response', (res) => res.on('data', exit))],
  ])("ends at once by process.exit() in '%s', with other requests in flight", async (name, listen) => {
    const peer = await serve((req, res) => {
      res.write('x'.repeat(100000));
      if (req.url === '/') setTimeout(() => res.end('end'), 20);
    });
    for (let i = 0; i < 5; i++) {
      const result = await runScript((http, { address, source }) => {
        const agent = new http.Agent();
        for (let other = 0; other < 10; other++) {
          http.get({ ...address, agent, path: '/open' }, (res) => res.resume()).on('error', () => {});
        }
        const listenTo = new Function(`return ${source}`)();
        listenTo(http.get({ ...address, agent }), () => process.exit(7));
      }, { args: { address: peer.address, source: String(listen) } });
      expect(result).toMatchObject({ code: 7, signal: null, timedOut: false, stderr: '' });
    }
  });

  it("may call process.exit() in a listener of 'exit' and 'beforeExit' with a request in flight", async () => {
    const peer = await serve((req, res) => res.end('x'));
    const result = await runScript((http, address) => {
      process.once('beforeExit', () => {
        http.get(address, (res) => res.resume().on('end', () => console.log('end')));
      });
      process.on('exit', () => {
        http.get(address).on('error', () => {});
        process.exitCode = 5;
      });
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, code: 5, stdout: 'end\n' });
  });
});
