'use strict';

/**
 * A process whose permissions leave the network out connects to nothing, and is told what Node's own client tells:
 * https://nodejs.org/api/permissions.html
 */

const { execFileSync } = require('node:child_process');

const { isNative, itOurs, runNode, serve, serveRaw, socketPath } = require('../support');
const { MODULE_PATH, ROOT } = require('../support/child');

const OF_NODE = 'node:http';
const HAS_NETWORK = process.allowedNodeEnvironmentFlags.has('--allow-net');
const MODEL = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
const FLAGS = [MODEL, '--allow-addons', '--allow-fs-read=*'];

const itDenied = HAS_NETWORK ? it : it.skip;

/** A test that loads an addon under the permission model, which Node 20.4 cannot be asked to allow. */
const itLoads = process.allowedNodeEnvironmentFlags.has('--allow-addons') ? it : it.skip;

/** True where a process can give a permission up, which the first release with the permission cannot. */
const canDrop = HAS_NETWORK && execFileSync(process.execPath, [...FLAGS, '-p', 'typeof process.permission.drop'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'ignore'],
}).trim() === 'function';
const itDropped = canDrop ? it : it.skip;

/** Runs a function in a process with permissions, with each client, and gives what it has printed. */
async function run(main, args, flags = []) {
  const [ours, nodes] = await Promise.all([MODULE_PATH, OF_NODE].map((modulePath) => {
    const source = `(${main})(require(${JSON.stringify(modulePath)}), ${JSON.stringify(args)})`;
    return runNode([...FLAGS, ...flags, '-e', source]);
  }));
  const shown = ({ code, signal, timedOut, stdout }) => ({ code, signal, timedOut, lines: stdout.split('\n') });
  return { ours: shown(ours), nodes: shown(nodes) };
}

/** Prints all that a request emits, and the turn of the event loop in which it does. */
async function requestAll(http_, cases) {
  for (const [title, source] of cases) {
    const options = new Function('require', 'http', `return ${source}`)(require, http_);
    console.log(`# ${title}`);
    await new Promise((resolve) => {
      const req = http_.request(options);
      const note = (name, error) => {
        const fields = error ? ` ${error.message} ${JSON.stringify(error)}` : '';
        console.log(name + fields);
      };
      req.on('socket', (socket) => {
        note('socket');
        socket.on('lookup', () => note('lookup')).on('close', () => note('socket close'));
        socket.on('error', (error) => note('socket error', error));
      });
      req.on('error', (error) => note('error', error)).on('response', () => note('response'));
      req.on('close', () => resolve(note('close')));
      process.nextTick(note, 'tick');
      setImmediate(note, 'immediate');
      req.end();
    });
  }
}

describe('a process without permission for the network', () => {
  itDenied.each([
    ['with an agent', ''],
    ['without an agent', ', agent: false'],
    ["with an agent's createConnection()",
      ', createConnection: (options) => new http.Agent().createConnection(options)'],
    ['with an agent that keeps alive', ', agent: new http.Agent({ keepAlive: true })'],
  ])('is denied every way out, as by node:http, %s', async (_how, more) => {
    const path = socketPath();
    const [tcp, unix] = [await serveRaw(() => {}), await serveRaw(() => {}, { path })];
    const cases = [
      ['an address', `{ host: '127.0.0.1', port: ${tcp.port}${more} }`],
      ['a name', `{ host: 'localhost', port: ${tcp.port}${more} }`],
      ['a name and a family', `{ host: 'localhost', family: 4, port: ${tcp.port}${more} }`],
      ['a name of the user', `{ host: 'x.test', port: ${tcp.port}, lookup: (host, { all }, callback) => {
        if (all) callback(null, [{ address: '127.0.0.1', family: 4 }, { address: '127.0.0.2', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      }${more} }`],
      ['a Unix domain socket', `{ socketPath: ${JSON.stringify(path)}${more} }`],
    ];
    const { ours, nodes } = await run(requestAll, cases);
    expect(nodes).toMatchObject({ code: 0, timedOut: false });
    const denied = nodes.lines.filter((line) => line.startsWith('error') && line.includes('ERR_ACCESS_DENIED'));
    expect(denied.length).toBe(cases.length);
    expect(ours).toEqual(nodes);
    expect(tcp.accepted.length + unix.accepted.length).toBe(0);
  });

  itDenied('is denied a local address, as by node:http', async () => {
    const peer = await serveRaw(() => {});
    const { ours, nodes } = await run((http_, { port }) => {
      process.on('uncaughtException', (error) => {
        console.log(error.message, error.code, error.permission, error.resource);
        process.exit(3);
      });
      http_.get({ host: '127.0.0.1', port, localAddress: '127.0.0.1' }).on('error', (error) => console.log(error.code));
    }, { port: peer.port });
    expect(nodes.lines[0]).toContain('ERR_ACCESS_DENIED');
    expect(ours).toEqual(nodes);
    expect(peer.accepted).toEqual([]);
  });

  itDropped('is denied a lookup or a connect that is under way when it loses the permission', async () => {
    const peer = await serveRaw(() => {});
    for (const autoSelectFamily of [true, false]) {
      const { ours, nodes } = await run((http_, options) => {
        const req = http_.get({ ...options, host: 'x.test', lookup: (host, { all }, callback) => {
          process.nextTick(() => {
            process.permission.drop('net');
            if (all) callback(null, ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })));
            else callback(null, '127.0.0.1', 4);
          });
        } });
        const text = ({ message, code }) => `${message} ${code}`;
        req.on('error', (error) => console.log(text(error), error.errors?.map(text)));
        req.on('close', () => console.log('close'));
      }, { port: peer.port, autoSelectFamily }, ['--allow-net']);
      expect(nodes.lines.join()).toContain('ERR_ACCESS_DENIED');
      expect(ours).toEqual(nodes);
    }
    expect(peer.accepted).toEqual([]);
  });

  itDropped('goes on using the connections that it has, and makes no other', async () => {
    const peer = await serve((req, res) => res.end('body'), { keepAliveTimeout: 60000 });
    const { ours, nodes } = await run(async (http_, address) => {
      const agent = new http_.Agent({ keepAlive: true });
      const get = (options) => new Promise((resolve) => {
        const req = http_.get({ ...address, agent, ...options }, (res) => {
          res.resume().on('close', () => setImmediate(resolve, `${res.statusCode} ${req.reusedSocket}`));
        });
        req.on('error', ({ message }) => resolve(message));
      });
      for (let i = 0; i < 20; i++) await get();
      process.permission.drop('net');
      console.log(await get());
      console.log(await get());
      console.log(await get({ agent: false }));
    }, peer.address, ['--allow-net']);
    expect(nodes.lines.slice(0, 2)).toEqual(['200 true', '200 true']);
    expect(nodes.lines[2]).toContain('ERR_ACCESS_DENIED');
    expect(ours).toEqual(nodes);
    expect(peer.accepted.length).toBe(2);
  });

  (canDrop ? itOurs : it.skip)('has no dead connection replaced by another', async () => {
    const peer = await serveRaw((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        setTimeout(() => socket.destroy(), 50);
      });
    });
    const source = `(${async (http_, address) => {
      const agent = new http_.Agent({ keepAlive: true });
      await new Promise((resolve) => { http_.get({ ...address, agent }, (res) => res.resume().on('close', resolve)); });
      while (Object.keys(agent.freeSockets).length === 0) await new Promise((resolve) => { setImmediate(resolve); });
      process.permission.drop('net');
      // The peer closes meanwhile, and this thread does not hear of it before the request.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      const req = http_.get({ ...address, agent });
      req.on('error', (error) => console.log(error.message, error.code, req.reusedSocket));
    }})(require(${JSON.stringify(ROOT)}), ${JSON.stringify(peer.address)})`;
    const result = await runNode([...FLAGS, '--allow-net', '-e', source]);
    expect(result).toMatchObject({ code: 0, timedOut: false });
    expect(result.stdout).toBe('read ECONNRESET ECONNRESET true\n');
    expect(peer.accepted.length).toBe(1);
  });
});

describe('a process with permission for the network, or of which only other permissions are asked', () => {
  (isNative ? itLoads : it.skip)('connects, natively', async () => {
    const peer = await serve((req, res) => res.end('body'));
    const { ours, nodes } = await run((http_, address) => {
      http_.get(address, (res) => res.on('data', (chunk) => {
        console.log(String(chunk), http_.stats?.().connectionsOpened ?? 1);
      }));
    }, peer.address, HAS_NETWORK ? ['--allow-net'] : []);
    expect(nodes.lines).toEqual(['body 1', '']);
    expect(ours).toEqual(nodes);
  });

  itLoads('gets the socket of an upgrade, and its bytes', async () => {
    const peer = await serveRaw((socket) => socket.once('data', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    }));
    const { ours, nodes } = await run((http_, address) => {
      const headers = { Connection: 'Upgrade', Upgrade: 'echo' };
      http_.get({ ...address, headers, agent: new http_.Agent() }).on('upgrade', (res, socket) => {
        socket.end('body').on('data', (chunk) => console.log(res.statusCode, String(chunk)));
      });
    }, { ...peer.address }, HAS_NETWORK ? ['--allow-net'] : []);
    expect(nodes.lines).toEqual(['101 body', '']);
    expect(ours).toEqual(nodes);
  });

  itDenied('that only audits is told of each connection, as by node:http', async () => {
    const peer = await serve((req, res) => res.end('body'));
    const main = (http_, address) => {
      require('node:diagnostics_channel').subscribe('node:permission-model:net', ({ permission, resource }) => {
        console.log(permission, resource);
      });
      const req = http_.get(address, (res) => res.on('data', (chunk) => console.log(String(chunk))));
      // The first releases with an audit refuse all the same.
      req.on('error', ({ message, code }) => console.log(message, code));
    };
    const [ours, nodes] = await Promise.all([MODULE_PATH, OF_NODE].map(async (modulePath) => {
      const source = `(${main})(require(${JSON.stringify(modulePath)}), ${JSON.stringify(peer.address)})`;
      const { stdout } = await runNode(['--permission-audit', '--allow-addons', '--allow-fs-read=*', '-e', source]);
      return stdout;
    }));
    expect(nodes).toMatch(/^Net 127\.0\.0\.1\n(?:body|.* ERR_ACCESS_DENIED)\n$/);
    expect(ours).toBe(nodes);
  });
});
