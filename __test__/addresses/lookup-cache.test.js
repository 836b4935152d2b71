'use strict';

/** The cache of look-ups: the option `dns` of agents. */

const dns = require('node:dns');
const { once } = require('node:events');
const http = require('../../index');
const { AsyncLocalStorage } = require('node:async_hooks');
const {
  bytesOf, cleanUp, describeOurs, exchange, newAgent, responseTo, runScript, serve, until,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** A lookup that notes what it is asked, and answers later. */
function notingLookup(answer = (name, options) => [null, options.all ?
  [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4]) {
  const asked = [];
  const lookup = (hostname, options, callback) => {
    asked.push(hostname);
    setImmediate(() => callback(...answer(hostname, options)));
  };
  return { asked, lookup };
}

/** @returns {Error} an error as dns.lookup() gives it */
const notFound = (hostname) => Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`),
  { errno: -3008, code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname });

/** Puts a function in the place of dns.lookup. */
function replaceLookup(lookup) {
  const before = dns.lookup;
  cleanUp(() => { dns.lookup = before; });
  dns.lookup = lookup;
}

const errorOf = async (options) => (await once(http.get(options), 'error'))[0];

describeOurs('agent option dns', () => {
  describeTransports('look-ups of the same name', (transport) => {
    let peer;
    let options;
    let asked;
    beforeEach(async () => {
      const noting = notingLookup();
      ({ asked } = noting);
      peer = await transport.serve((req, res) => res.end('answered'));
      const agent = transport.newAgent({ dns: { cache: true, maxTtl: 60 }, lookup: noting.lookup });
      options = { ...peer.address, host: 'localhost', agent };
    });

    it('that are under way have one answer in common', async () => {
      const bodies = await Promise.all([1, 2, 3].map(() => exchange(options)));
      expect(bodies.map(({ body }) => String(body))).toEqual(['answered', 'answered', 'answered']);
      expect(asked).toEqual(['localhost']);
    });

    it('get the answer that is kept', async () => {
      for (let i = 0; i < 3; i++) await exchange(options);
      expect(asked).toEqual(['localhost']);
      expect(peer.accepted.length).toBe(3);
    });
  }, ({ isLent }) => !isLent);

  /** Options of requests to a server, with a cache and a lookup. */
  async function cached(dnsOptions, answer) {
    const { asked, lookup } = notingLookup(answer);
    const peer = await serve((req, res) => res.end('answered'));
    const agent = newAgent({ dns: { cache: true, maxTtl: 60, ...dnsOptions }, lookup });
    return { asked, options: { port: peer.port, host: 'name.test', agent } };
  }

  it('keeps nothing without cache: true', async () => {
    const { asked, options } = await cached({ cache: false });
    for (let i = 0; i < 2; i++) await exchange(options);
    expect(asked.length).toBe(2);
  });

  it('asks again after maxTtl', async () => {
    const { asked, options } = await cached({ maxTtl: 0.02 });
    await until(async () => {
      await exchange(options);
      return asked.length > 1;
    });
  });

  it('with maxTtl: 0 keeps nothing, and yet asks once for what is under way', async () => {
    const { asked, options } = await cached({ maxTtl: 0 });
    await Promise.all([exchange(options), exchange(options)]);
    await exchange(options);
    expect(asked.length).toBe(2);
  });

  it('keeps an answer with a time to live for no longer', async () => {
    const { asked, options } = await cached({}, () => [null, [{ address: '127.0.0.1', family: 4, ttl: 0.02 }]]);
    await until(async () => {
      await exchange(options);
      return asked.length > 1;
    });
  });

  it('keeps for errorTtl that a name does not exist, and gives each request an error of its own', async () => {
    const { asked, options } = await cached({ errorTtl: 60 }, (name) => [notFound(name)]);
    const errors = await Promise.all([errorOf(options), errorOf(options)]);
    errors.push(await errorOf(options));
    expect(asked.length).toBe(1);
    expect(new Set(errors).size).toBe(3);
    for (const error of errors) {
      expect(error).toBeInstanceOf(Error);
      expect(error).toMatchObject({ code: 'ENOTFOUND', errno: -3008, syscall: 'getaddrinfo', hostname: 'name.test',
        message: 'getaddrinfo ENOTFOUND name.test' });
      expect(error.stack).toContain('getaddrinfo ENOTFOUND name.test');
    }
  });

  it('does not keep an error that may be over at once', async () => {
    const answer = () => [Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' })];
    const { asked, options } = await cached({ errorTtl: 60 }, answer);
    expect((await errorOf(options)).code).toBe('EAI_AGAIN');
    await errorOf(options);
    expect(asked.length).toBe(2);
  });

  it('keeps maxItems names, those that were used last', async () => {
    const { asked, options } = await cached({ maxItems: 2 });
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await exchange({ ...options, host: `${name}.test` });
    expect(asked).toEqual(['a.test', 'b.test', 'c.test', 'b.test']);
  });

  it('asks dns.lookup as it is at the call', async () => {
    const { asked, lookup } = notingLookup();
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ dns: { cache: true } });
    replaceLookup(lookup);
    await exchange({ port: peer.port, host: 'name.test', agent });
    await exchange({ port: peer.port, host: 'name.test', agent });
    expect(asked).toEqual(['name.test']);
  });

  it("keeps the answers of a request's own lookup apart", async () => {
    const own = notingLookup();
    const other = notingLookup();
    const peer = await serve((req, res) => res.end());
    const options = { port: peer.port, host: 'name.test', agent: newAgent({ dns: { cache: true } }) };
    for (const { lookup } of [own, other, own, other]) await exchange({ ...options, lookup });
    expect([own.asked.length, other.asked.length]).toEqual([1, 1]);
  });

  it('keeps answers for a family apart', async () => {
    const { asked, options } = await cached({});
    await exchange({ ...options, family: 4 });
    await exchange(options);
    await exchange({ ...options, family: 4 });
    expect(asked.length).toBe(2);
  });

  it('asks dns.lookup for fallbackDuration where the lookup of the user knows no address', async () => {
    const system = notingLookup();
    const { asked, options } = await cached({ fallbackDuration: 60, maxTtl: 0 }, (name) => [notFound(name)]);
    replaceLookup(system.lookup);
    await exchange(options);
    await exchange(options);
    expect([asked.length, system.asked.length]).toEqual([1, 2]);
  });

  it('never asks dns.lookup instead by default', async () => {
    const { options } = await cached({}, (name) => [notFound(name)]);
    expect((await errorOf(options)).code).toBe('ENOTFOUND');
  });

  it('calls back in the async context of each request', async () => {
    const { options } = await cached({});
    const storage = new AsyncLocalStorage();
    const seen = await Promise.all(['a', 'b', 'c'].map((value) => storage.run(value, async () => {
      const req = http.get(options);
      let looked;
      req.once('socket', (socket) => socket.once('lookup', () => { looked = storage.getStore(); }));
      await bytesOf(await responseTo(req));
      return looked;
    })));
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('lets an exception of one listener take no look-up from the others', async () => {
    const { stdout } = await runScript((http_) => {
      process.on('uncaughtException', (error) => console.log(error.message));
      const server = require('node:http').createServer((req, res) => res.end('answered'));
      server.listen(0, '127.0.0.1', () => {
        const lookup = (name, options, callback) => {
          setImmediate(callback, null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);
        };
        const agent = new http_.Agent({ dns: { cache: true }, lookup });
        const options = { host: 'name.test', port: server.address().port, agent };
        const first = http_.get(options);
        first.on('error', () => {});
        first.once('socket', (socket) => socket.once('lookup', () => { throw new Error('of a listener'); }));
        http_.get(options, (res) => {
          console.log(res.statusCode);
          server.close();
          process.exit();
        });
      });
    });
    expect(stdout).toBe('of a listener\n200\n');
  });

  it.each([
    [{ maxTtl: '1' }, 'ERR_INVALID_ARG_TYPE', 'The "options.dns.maxTtl" property must be of type number.'],
    [{ errorTtl: -1 }, 'ERR_OUT_OF_RANGE', 'The value of "options.dns.errorTtl" is out of range.'],
    [{ maxItems: NaN }, 'ERR_OUT_OF_RANGE', 'The value of "options.dns.maxItems" is out of range.'],
  ])('refuses %j', (options, code, message) => {
    const expected = { code, message: expect.stringContaining(message) };
    expect(() => newAgent({ dns: { cache: true, ...options } })).toThrow(expect.objectContaining(expected));
  });

  it.each([
    [true], ['8.8.8.8'], [null], [{}], [{ maxTtl: '1' }], [{ cache: false, maxTtl: -1 }], [{ cache: new Map() }],
    [{ cache: true, resolver: {} }],
  ])('keeps nothing for who asks for none of ours: %j', async (dns) => {
    const lookup = jest.fn((_name, { all }, callback) => {
      callback(null, all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);
    });
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ dns });
    for (let i = 0; i < 2; i++) await exchange({ ...peer.address, host: 'name.test', lookup, agent });
    expect(lookup).toHaveBeenCalledTimes(2);
  });
});
