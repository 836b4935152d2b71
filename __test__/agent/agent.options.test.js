'use strict';

const nodeHttp = require('node:http');
const { http, newAgent, runScript, serve, exchange, cleanUp, itLinux } = require('../support');

// https://nodejs.org/api/http.html#new-agentoptions

describe('new Agent()', () => {
  it('is an instance of the Agent of node:http', () => {
    expect(new http.Agent()).toBeInstanceOf(nodeHttp.Agent);
  });

  it('works without new', () => {
    const agent = http.Agent({ maxSockets: 3 });
    expect(agent).toBeInstanceOf(http.Agent);
    expect(agent.maxSockets).toBe(3);
  });

  it('has the defaults that Node documents', () => {
    expect(new http.Agent()).toMatchObject({
      keepAlive: false,
      keepAliveMsecs: 1000,
      maxSockets: Infinity,
      maxTotalSockets: Infinity,
      maxFreeSockets: 256,
      scheduling: 'lifo',
      totalSocketCount: 0,
      defaultPort: 80,
      protocol: 'http:',
    });
  });

  it.each(['sockets', 'freeSockets', 'requests'])('has an empty %s table that inherits nothing', (table) => {
    const agent = new http.Agent();
    expect(Object.getPrototypeOf(agent[table])).toBeNull();
    expect(Object.keys(agent[table])).toEqual([]);
  });

  it('takes every option', () => {
    const options = {
      keepAlive: true, keepAliveMsecs: 5000, maxSockets: 4, maxTotalSockets: 8, maxFreeSockets: 2, scheduling: 'fifo',
    };
    expect(new http.Agent(options)).toMatchObject(options);
  });

  it('keeps all options in a copy that inherits nothing', () => {
    const given = { keepAlive: true, timeout: 1234, family: 4, localAddress: '127.0.0.1' };
    const agent = new http.Agent(given);
    given.timeout = 1;
    expect(Object.getPrototypeOf(agent.options)).toBeNull();
    expect({ ...agent.options }).toMatchObject({ ...given, timeout: 1234 });
  });

  it('switches noDelay on unless told otherwise', () => {
    expect(new http.Agent().options.noDelay).toBe(true);
    expect(new http.Agent({ noDelay: false }).options.noDelay).toBe(false);
  });

  it('clears options.path, which would be taken for a Unix domain socket', () => {
    expect(new http.Agent({ path: '/x' }).options.path).toBeNull();
  });

  it.each(['', 0, null, false, undefined])('takes scheduling %j for lifo', (scheduling) => {
    expect(new http.Agent({ scheduling }).scheduling).toBe('lifo');
  });

  it('rejects any other scheduling', () => {
    expect(() => new http.Agent({ scheduling: 'filo' })).toThrow(expect.objectContaining({
      code: 'ERR_INVALID_ARG_VALUE',
      message: "The argument 'scheduling' must be one of: 'fifo', 'lifo'. Received 'filo'",
    }));
  });

  it.each([
    ['a string', '3', 'ERR_INVALID_ARG_TYPE'],
    ['null', null, 'ERR_INVALID_ARG_TYPE'],
    ['zero', 0, 'ERR_OUT_OF_RANGE'],
    ['a negative number', -1, 'ERR_OUT_OF_RANGE'],
    ['NaN', NaN, 'ERR_OUT_OF_RANGE'],
  ])('rejects maxTotalSockets that is %s', (_what, maxTotalSockets, code) => {
    expect(() => new http.Agent({ maxTotalSockets })).toThrow(expect.objectContaining({ code }));
  });

  it('takes its maxSockets from Agent.defaultMaxSockets as it is then', () => {
    expect(http.Agent.defaultMaxSockets).toBe(Infinity);
    cleanUp(() => { http.Agent.defaultMaxSockets = Infinity; });
    http.Agent.defaultMaxSockets = 7;
    expect(new http.Agent().maxSockets).toBe(7);
  });

  // Node 20 does not know these options.
  const itIfNodeDoes = 'agentKeepAliveTimeoutBuffer' in new nodeHttp.Agent() ? it : it.skip;

  itIfNodeDoes('takes defaultPort and protocol as options', () => {
    expect(new http.Agent({ defaultPort: 8080, protocol: 'x:' })).toMatchObject({ defaultPort: 8080, protocol: 'x:' });
  });

  itIfNodeDoes.each([[500, 500], [0, 0], [-1, 1000], [Infinity, 1000], ['500', 1000], [undefined, 1000]])(
    'makes of agentKeepAliveTimeoutBuffer %p a buffer of %i ms', (agentKeepAliveTimeoutBuffer, expected) => {
      expect(new http.Agent({ agentKeepAliveTimeoutBuffer }).agentKeepAliveTimeoutBuffer).toBe(expected);
    });
});

describe('Agent options of a request', () => {
  it('give way to those of the agent', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ port: peer.port, host: '127.0.0.1' });
    const { res } = await exchange({ port: 1, host: '127.0.0.2', agent });
    expect(res.statusCode).toBe(200);
  });

  itLinux('reach the socket: an agent can bind its connections to an address', async () => {
    const peer = await serve((req, res) => res.end(req.socket.remoteAddress));
    const agent = newAgent({ localAddress: '127.0.0.3' });
    const { body } = await exchange({ ...peer.address, agent });
    expect(body.toString()).toBe('127.0.0.3');
  });
});

describe('globalAgent', () => {
  it('keeps connections alive for five seconds, the last used first', () => {
    expect(http.globalAgent).toBeInstanceOf(http.Agent);
    expect(http.globalAgent).toMatchObject({ keepAlive: true, scheduling: 'lifo' });
    expect(http.globalAgent.options.timeout).toBe(5000);
  });

  it('can be replaced, and requests without an agent use the new one', async () => {
    const before = http.globalAgent;
    cleanUp(() => { http.globalAgent = before; });
    http.globalAgent = newAgent({ keepAlive: true });
    const peer = await serve((req, res) => res.end());
    const { req } = await exchange(peer.address);
    expect(req.agent).toBe(http.globalAgent);
    expect(req.agent).not.toBe(before);
  });
});

describe('agent.getName(options)', () => {
  it.each([
    ['no options', undefined, 'localhost::'],
    ['empty options', {}, 'localhost::'],
    ['a host', { host: 'example.org' }, 'example.org::'],
    ['a port', { port: 8080 }, 'localhost:8080:'],
    ['host and port', { host: 'example.org', port: 80 }, 'example.org:80:'],
    ['port 0', { host: 'example.org', port: 0 }, 'example.org::'],
    ['localAddress', { host: 'h', port: 1, localAddress: '192.168.1.1' }, 'h:1:192.168.1.1'],
    ['family 4', { host: 'h', port: 1, family: 4 }, 'h:1::4'],
    ['family 6', { host: 'h', port: 1, family: 6 }, 'h:1::6'],
    ['family 0', { host: 'h', port: 1, family: 0 }, 'h:1:'],
    ['family as a string', { host: 'h', port: 1, family: '4' }, 'h:1:'],
    ['socketPath', { socketPath: '/tmp/s' }, 'localhost:::/tmp/s'],
    ['everything', { host: 'h', port: 1, localAddress: 'l', family: 6, socketPath: '/s' }, 'h:1:l:6:/s'],
    ['an IPv6 address', { host: '::1', port: 80 }, '::1:80:'],
  ])('with %s', (_what, options, name) => {
    expect(new http.Agent().getName(options)).toBe(name);
  });
});

describe('the option fd', () => {
  it('counts whatever its value is, as with node:http', async () => {
    const peer = await serve((req, res) => res.end());
    const { stdout } = await runScript(async (ours, address) => {
      const outcomeOf = (module, options) => new Promise((resolve) => {
        try {
          module.get({ ...address, ...options }, (res) => resolve(`response ${res.statusCode}`))
            .on('error', (error) => resolve(error.message));
        } catch (error) {
          resolve(error.message);
        }
      });
      for (const fd of [0, null, -1, '0', NaN, 99999, undefined]) {
        for (const optionsOf of [() => ({}), () => ({ agent: false }), ({ Agent }) => ({ agent: new Agent({ fd }) })]) {
          const [node, our] = [require('node:http'), ours].map((module) => {
            return outcomeOf(module, { fd, ...optionsOf(module) });
          });
          console.log(String(fd), await node === await our, await our);
        }
      }
      process.exit();
    }, { args: peer.address });
    const lines = stdout.trim().split('\n');
    expect(lines.length).toBe(21);
    expect(lines.filter((line) => !line.includes(' true '))).toEqual([]);
    expect(lines.filter((line) => line.includes('response'))).toEqual(Array(3).fill('undefined true response 200'));
  });
});
