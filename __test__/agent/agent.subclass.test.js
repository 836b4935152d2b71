'use strict';

const { EventEmitter } = require('node:events');
const net = require('node:net');
const util = require('node:util');
const {
  http, poolOf, untilIdle, untilPoolIsEmpty, serve, exchange, cleanUp, until, responseTo, bytesOf, newAgent,
} = require('../support');

/** @returns an agent of a class made for the test */
function newAgentOf(Class, options) {
  const agent = new Class(options);
  cleanUp(() => agent.destroy());
  return agent;
}

/** Makes requests one after the other and tells which had a used connection. */
async function reuseOf(count, options) {
  const reused = [];
  for (let i = 0; i < count; i++) {
    const { req, body } = await exchange(options);
    expect(body.toString()).toBe('x');
    reused.push(req.reusedSocket);
    await untilIdle(options.agent);
  }
  return reused;
}

const answerX = (req, res) => res.end('x');

describe('a subclass of Agent', () => {
  it('made by class works', async () => {
    class Mine extends http.Agent {
      constructor(options) {
        super({ ...options, keepAlive: true });
        this.mine = true;
      }
    }
    const peer = await serve(answerX);
    const agent = newAgentOf(Mine);
    expect(agent).toBeInstanceOf(http.Agent);
    expect(agent).toBeInstanceOf(EventEmitter);
    expect(agent.mine).toBe(true);
    expect(await reuseOf(2, { ...peer.address, agent })).toEqual([false, true]);
  });

  it('has a setter of its options called once', () => {
    const given = [];
    class Mine extends http.Agent {
      get options() {
        return given.at(-1);
      }

      set options(options) {
        given.push(options);
      }
    }
    newAgentOf(Mine, { keepAlive: true });
    expect(given).toEqual([expect.objectContaining({ keepAlive: true })]);
  });

  it('made by util.inherits and Agent.call works', async () => {
    function Mine(options) {
      http.Agent.call(this, options);
    }
    util.inherits(Mine, http.Agent);
    const peer = await serve(answerX);
    const agent = newAgentOf(Mine, { keepAlive: true });
    expect(agent).toBeInstanceOf(Mine);
    expect(agent).toBeInstanceOf(http.Agent);
    expect(await reuseOf(2, { ...peer.address, agent })).toEqual([false, true]);
  });
});

describe('createConnection(options, callback) of an agent', () => {
  const kinds = {
    'that calls the original': (Base) => class extends Base {
      createConnection(...args) {
        return super.createConnection(...args);
      }
    },
    'that calls the original with a callback': (Base) => class extends Base {
      createConnection(options, callback) {
        return super.createConnection(options, callback);
      }
    },
    'that gives a net.Socket': (Base) => class extends Base {
      createConnection(options) {
        return net.connect(options);
      }
    },
    'that gives a net.Socket by callback, later': (Base) => class extends Base {
      createConnection(options, callback) {
        const socket = net.connect(options, () => setImmediate(callback, null, socket));
      }
    },
    'that gives a connected net.Socket by callback at once and returns it too': (Base) => class extends Base {
      createConnection(options, callback) {
        const socket = net.connect(options);
        callback(null, socket);
        return socket;
      }
    },
    'that connects somewhere else': (Base) => class extends Base {
      createConnection(options) {
        return net.connect({ ...options, host: '127.0.0.1', port: this.options.realPort });
      }
    },
  };

  it.each(Object.keys(kinds))('%s feeds requests and the pool', async (kind) => {
    const peer = await serve(answerX);
    const agent = newAgentOf(kinds[kind](http.Agent), { keepAlive: true, realPort: peer.port });
    const address = kind.includes('else') ? { host: 'far.invalid', port: 1 } : peer.address;
    expect(await reuseOf(3, { ...address, agent })).toEqual([false, true, true]);
    expect(poolOf(agent).freeSockets).toBe(1);
    expect(Object.keys(agent.freeSockets)).toEqual([agent.getName(address)]);
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });

  it('may be set on the agent itself', async () => {
    const peer = await serve(answerX);
    const agent = newAgent({ keepAlive: true });
    let calls = 0;
    agent.createConnection = (options) => {
      calls++;
      return net.connect(options);
    };
    expect(await reuseOf(2, { ...peer.address, agent })).toEqual([false, true]);
    expect(calls).toBe(1);
  });

  it('is told the address, the options of request and agent, and the key of the pool', async () => {
    const peer = await serve(answerX);
    let told;
    class Curious extends http.Agent {
      createConnection(options, callback) {
        told = { options, callback };
        return super.createConnection(options, callback);
      }
    }
    const agent = newAgentOf(Curious, { keepAlive: true, keepAliveMsecs: 2500, mine: 1 });
    await exchange({ ...peer.address, agent, path: '/x', yours: 2 });
    expect(typeof told.callback).toBe('function');
    expect(told.options).toMatchObject({
      host: '127.0.0.1', port: peer.port, keepAlive: true, keepAliveInitialDelay: 2500, noDelay: true, encoding: null,
      path: null, servername: '', mine: 1, yours: 2, _agentKey: agent.getName(peer.address),
    });
    expect(told.options.signal).toBeUndefined();
  });

  it('that fails by callback fails the request alone', async () => {
    const peer = await serve(answerX);
    let fail = true;
    class Failing extends http.Agent {
      createConnection(options, callback) {
        if (!fail) return super.createConnection(options, callback);
        fail = false;
        setImmediate(callback, Object.assign(new Error('no way through'), { code: 'EMINE' }));
        return undefined;
      }
    }
    const agent = newAgentOf(Failing, { keepAlive: true });
    await expect(exchange({ ...peer.address, agent })).rejects.toMatchObject(
      { code: 'EMINE', message: 'no way through' });
    await until(() => agent.totalSocketCount === 0);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
    expect(await reuseOf(2, { ...peer.address, agent })).toEqual([false, true]);
  });

  it('that throws makes request() throw', () => {
    class Throwing extends http.Agent {
      createConnection() {
        throw new Error('thrown');
      }
    }
    const agent = newAgentOf(Throwing);
    expect(() => http.get({ port: 1, agent })).toThrow('thrown');
    expect(agent.totalSocketCount).toBe(0);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
  });

  it('of the agent goes before that of the request', async () => {
    const peer = await serve(answerX);
    const agent = newAgent();
    let asked = false;
    const createConnection = () => { asked = true; };
    const { body } = await exchange({ ...peer.address, agent, createConnection });
    expect(body.toString()).toBe('x');
    expect(asked).toBe(false);
  });
});

describe('addRequest(req, options) of an agent', () => {
  it('overridden sees each request and may change where it goes', async () => {
    const peer = await serve((req, res) => res.end(`${req.url} ${req.headers['x-signed']}`));
    class Signing extends http.Agent {
      addRequest(req, options) {
        req.setHeader('X-Signed', req.method);
        super.addRequest(req, { ...options, port: peer.port });
      }
    }
    const agent = newAgentOf(Signing, { keepAlive: true });
    const { body } = await exchange({ host: '127.0.0.1', port: 1, path: '/p', agent });
    expect(body.toString()).toBe('/p GET');
  });

  it('overridden may give the request a socket of its own making', async () => {
    const peer = await serve(answerX);
    class Direct extends http.Agent {
      addRequest(req, options) {
        req.onSocket(net.connect(options.port, options.host));
      }
    }
    const agent = newAgentOf(Direct);
    const { req, body } = await exchange({ ...peer.address, agent });
    expect(body.toString()).toBe('x');
    expect(req.socket).toBeInstanceOf(net.Socket);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
  });

  it('overridden may give the request an error', async () => {
    class Refusing extends http.Agent {
      addRequest(req) {
        req.onSocket(null, Object.assign(new Error('refused'), { code: 'EMINE' }));
      }
    }
    await expect(exchange({ port: 1, agent: newAgentOf(Refusing) })).rejects.toMatchObject({ code: 'EMINE' });
  });
});

describe('createSocket(req, options, callback) of an agent', () => {
  it('overridden may look something up first', async () => {
    const peer = await serve(answerX);
    class Resolving extends http.Agent {
      createSocket(req, options, callback) {
        setImmediate(() => super.createSocket(req, { ...options, port: peer.port }, callback));
      }
    }
    const agent = newAgentOf(Resolving, { maxSockets: 2 });
    const answers = await Promise.all([1, 2].map(() => exchange({ host: '127.0.0.1', port: 1, agent })));
    expect(answers.map(({ body }) => body.toString())).toEqual(['x', 'x']);
    await untilIdle(agent);
    await until(() => agent.totalSocketCount === 0);
  });

  it('overridden may call back with a socket that the pool does not know', async () => {
    const peer = await serve(answerX);
    class Handing extends http.Agent {
      createSocket(req, options, callback) {
        const socket = net.connect(options.port, options.host, () => callback(null, socket));
      }
    }
    const agent = newAgentOf(Handing);
    const { body } = await exchange({ ...peer.address, agent });
    expect(body.toString()).toBe('x');
    expect(agent.totalSocketCount).toBe(0);
  });

  it('overridden may call back with an error', async () => {
    class Failing extends http.Agent {
      createSocket(req, options, callback) {
        process.nextTick(callback, Object.assign(new Error('none'), { code: 'EMINE' }));
      }
    }
    await expect(exchange({ port: 1, agent: newAgentOf(Failing) })).rejects.toMatchObject({ code: 'EMINE' });
  });

  it('is called again for a request that waited, when a connection closes', async () => {
    const peer = await serve((req, res) => {
      res.setHeader('Connection', 'close');
      res.end('x');
    });
    const asked = [];
    class Counting extends http.Agent {
      createSocket(req, options, callback) {
        asked.push(req.path);
        super.createSocket(req, options, callback);
      }
    }
    const agent = newAgentOf(Counting, { maxSockets: 1, keepAlive: true });
    const reqs = [0, 1, 2].map((index) => http.get({ ...peer.address, agent, path: `/${index}` }));
    await Promise.all(reqs.map(async (req) => bytesOf(await responseTo(req))));
    await untilPoolIsEmpty(agent);
    expect(asked).toEqual(['/0', '/1', '/2']);
  });
});
