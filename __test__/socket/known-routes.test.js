'use strict';

/** The kernel is asked for the way to an address once, and again when connecting there has failed. */

const os = require('node:os');
const { cleanUp, describeOurs, exchange, http, newAgent, serve } = require('../support');

const [own] = Object.values(os.networkInterfaces()).flat()
  .filter(({ internal, family }) => !internal && family === 'IPv4');
const itHasAddress = own ? it : it.skip;

describeOurs('an address', () => {
  /** Loads the file anew, with an addon that counts what it is asked, and answers with `answers`. */
  function load(answers = []) {
    const asked = [];
    const connectIfDoubtful = (address) => {
      asked.push(address);
      return answers.length > 0 ? answers.shift() : null;
    };
    let routes;
    jest.isolateModules(() => {
      jest.doMock('../../lib/bridge/bridge', () => ({ bridge: { connectIfDoubtful } }));
      routes = require('../../lib/socket/known-routes');
    });
    cleanUp(() => jest.dontMock('../../lib/bridge/bridge'));
    return { ...routes, asked };
  }

  it('to which the kernel knows a way is asked about once', () => {
    const { connectIfUnknown, asked } = load();
    for (const address of ['192.0.2.1', 'fd00::1', '192.0.2.1', 'fd00::1']) {
      expect(connectIfUnknown(address, 80)).toBe(null);
    }
    expect(asked).toEqual(['192.0.2.1', 'fd00::1']);
  });

  it('that is refused, or connects at once, is asked about each time', () => {
    const { connectIfUnknown, asked } = load([-101, 7, null]);
    expect([1, 2, 3, 4].map(() => connectIfUnknown('192.0.2.1', 80))).toEqual([-101, 7, null, null]);
    expect(asked.length).toBe(3);
  });

  it('to which connecting has failed is asked about again', () => {
    const { connectIfUnknown, forget, asked } = load();
    connectIfUnknown('192.0.2.1', 80);
    connectIfUnknown('192.0.2.2', 80);
    forget('192.0.2.1');
    forget(undefined);
    connectIfUnknown('192.0.2.1', 80);
    connectIfUnknown('192.0.2.2', 80);
    expect(asked).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.1']);
  });

  it('of this machine is not asked about', () => {
    const { connectIfUnknown, asked } = load();
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', '0.0.0.0']) connectIfUnknown(address, 80);
    expect(asked).toEqual([]);
  });

  it('is forgotten when there are too many', () => {
    const { connectIfUnknown, asked } = load();
    for (let i = 0; i < 3000; i++) connectIfUnknown(`10.0.${i >> 8}.${i & 255}`, 80);
    connectIfUnknown('10.0.0.0', 80);
    expect(asked.length).toBe(3001);
  });
});

itHasAddress('connections to an own address that is no loopback succeed, and fail, one after the other', async () => {
  const peer = await serve((req, res) => res.end('ok'), { listen: { host: own.address, port: 0 } });
  const options = { ...peer.address, host: own.address, agent: newAgent({ keepAlive: false }) };
  for (let i = 0; i < 3; i++) expect((await exchange(options)).body.toString()).toBe('ok');
  await new Promise((resolve) => { peer.server.close(resolve); });
  for (let i = 0; i < 3; i++) {
    const error = await new Promise((resolve) => { http.get(options).on('error', resolve); });
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: own.address, syscall: 'connect' });
  }
});
