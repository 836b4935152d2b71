'use strict';

/** The client in several worker threads at once, terminated with requests in flight, and loaded again and again. */

const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { once } = require('node:events');
const {
  bytesOf, cleanUp, exchange, isOracle, itOurs, MODULE_PATH, newAgent, pseudoRandomBytes, responseTo, ROOT, runScript,
  serve, until, untilNoConnections,
} = require('../support');

/** Starts a worker that runs `main(http, data, parentPort)`. */
function startWorker(main, data) {
  const source = `const { parentPort, workerData } = require('node:worker_threads');
    (${main})(require(${JSON.stringify(MODULE_PATH)}), workerData, parentPort);`;
  const worker = new Worker(source, { eval: true, workerData: data });
  cleanUp(() => worker.terminate());
  return worker;
}

/** Makes requests without end in a worker, and tells of each response. */
function requestWithoutEnd(http, address, parent) {
  const agent = new http.Agent({ keepAlive: true });
  const next = (path) => {
    const req = http.request({ ...address, agent, method: 'POST', path }, (res) => {
      res.on('data', () => {}).on('end', () => {
        parent.postMessage('response');
        next(path);
      }).on('error', () => {});
    });
    req.on('error', () => {});
    req.end(Buffer.alloc(50000));
  };
  for (let i = 0; i < 8; i++) next(i < 6 ? '/' : '/half');
}

describe('several workers at once', () => {
  it('each make their own requests, next to the main thread', async () => {
    const body = pseudoRandomBytes(300000);
    const peer = await serve((req, res) => req.pipe(res));
    const workers = Array.from({ length: 4 }, () => startWorker(async (http, { address, bytes }, parent) => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 5 });
      const all = Array.from({ length: 30 }, () => new Promise((resolve, reject) => {
        const req = http.request({ ...address, agent, method: 'POST' }, (res) => {
          const chunks = [];
          res.on('data', (chunk) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks).equals(bytes)));
        });
        req.on('error', reject).end(bytes);
      }));
      const results = await Promise.all(all);
      agent.destroy();
      parent.postMessage(results.filter(Boolean).length);
    }, { address: peer.address, bytes: body }));
    const exits = workers.map((worker) => once(worker, 'exit'));
    const counts = workers.map((worker) => once(worker, 'message'));
    const agent = newAgent({ keepAlive: true, maxSockets: 5 });
    for (let i = 0; i < 30; i++) {
      const { body: echoed } = await exchange({ ...peer.address, agent, method: 'POST', body });
      expect(echoed.equals(body)).toBe(true);
    }
    expect((await Promise.all(counts)).flat()).toEqual([30, 30, 30, 30]);
    expect((await Promise.all(exits)).flat()).toEqual([0, 0, 0, 0]);
  });

  it('end by themselves with idle connections', async () => {
    const peer = await serve((req, res) => res.end(), { keepAliveTimeout: 60000 });
    const worker = startWorker((http, address) => {
      http.get({ ...address, agent: new http.Agent({ keepAlive: true, timeout: 60000 }) }, (res) => res.resume());
    }, peer.address);
    expect(await once(worker, 'exit')).toEqual([0]);
    await untilNoConnections(peer);
  });
});

describe('a worker', () => {
  const serveBusy = () => serve((req, res) => {
    req.resume();
    if (req.url === '/half') res.write('half');
    else res.end(Buffer.alloc(100000));
  });

  it('can be terminated with requests in flight, 30 times, at any moment', async () => {
    const peer = await serveBusy();
    const moments = pseudoRandomBytes(30);
    for (let i = 0; i < 30; i += 3) {
      await Promise.all([0, 1, 2].map(async (offset) => {
        const worker = startWorker(requestWithoutEnd, peer.address);
        if ((i + offset) % 2) await once(worker, 'message');
        else await once(worker, 'online');
        await new Promise((resolve) => { setTimeout(resolve, moments[i + offset] / 8); });
        expect(await worker.terminate()).toBe(1);
      }));
    }
    await untilNoConnections(peer);
    expect((await exchange({ ...peer.address, agent: false })).body).toHaveLength(100000);
  });

  it('can call process.exit() with requests in flight', async () => {
    const peer = await serveBusy();
    for (let i = 0; i < 10; i++) {
      const worker = startWorker((http, { address, moment }) => {
        for (let n = 0; n < 5; n++) {
          const req = http.get({ ...address, agent: new http.Agent() }, (res) => {
            res.resume();
            if (n === moment) process.exit(9);
          });
          req.on('error', () => {});
        }
      }, { address: peer.address, moment: i % 5 });
      expect(await once(worker, 'exit')).toEqual([9]);
    }
    await untilNoConnections(peer);
  });

  it('that fails takes nothing else with it', async () => {
    const peer = await serveBusy();
    const worker = startWorker((http, address) => {
      http.get(address, () => { throw new Error('in a worker'); });
    }, peer.address);
    const [error] = await once(worker, 'error');
    expect(error.message).toBe('in a worker');
    expect((await exchange({ ...peer.address, agent: newAgent() })).body).toHaveLength(100000);
  });

  it('may hold the process no longer than its own work when that ends', async () => {
    const peer = await serveBusy();
    for (let i = 0; i < 3; i++) {
      const result = await runScript((http, { address, modulePath }) => {
        const worker = new (require('node:worker_threads').Worker)(`
          const http = require(${JSON.stringify(modulePath)});
          const agent = new http.Agent({ keepAlive: true });
          const onResponse = (res) => {
            res.resume();
            require('node:worker_threads').parentPort.postMessage('response');
          };
          for (const path of ['/half', '/', '/', '/']) {
            http.get({ ...${JSON.stringify(address)}, agent, path }, onResponse).on('error', () => {});
          }`, { eval: true });
        worker.on('message', () => process.exit(6));
        http.get({ ...address, path: '/half' }, (res) => res.resume()).on('error', () => {});
      }, { args: { address: peer.address, modulePath: MODULE_PATH } });
      expect(result).toMatchObject({ code: 6, signal: null, timedOut: false, stderr: '' });
    }
  });
});

describe('jest.resetModules()', () => {
  it('and loading the module again gives one that works, next to the one before', async () => {
    const peer = await serve((req, res) => res.end('body'));
    const seen = new Set();
    for (let i = 0; i < 10; i++) {
      jest.resetModules();
      const again = isOracle ? require('node:http') : require('../..');
      seen.add(again.request);
      const agent = new again.Agent({ keepAlive: true });
      cleanUp(() => agent.destroy());
      for (let n = 0; n < 3; n++) {
        const req = again.get({ ...peer.address, agent });
        expect(req).toBeInstanceOf(again.ClientRequest);
        expect((await bytesOf(await responseTo(req))).toString()).toBe('body');
        await until(() => req.closed);
      }
    }
    if (!isOracle) expect(seen.size).toBe(10);
    expect((await exchange({ ...peer.address, agent: newAgent() })).body.toString()).toBe('body');
    expect(peer.accepted).toHaveLength(11);
  });

  itOurs('leaves requests of the module before it in flight', async () => {
    let answer;
    const peer = await serve((req, res) => {
      if (req.url === '/first') answer = () => res.end('first');
      else res.end('second');
    });
    const first = responseTo(require('../..').get({ ...peer.address, path: '/first' }));
    await until(() => answer);
    jest.resetModules();
    const second = await responseTo(require('../..').get({ ...peer.address, path: '/second' }));
    expect((await bytesOf(second)).toString()).toBe('second');
    answer();
    expect((await bytesOf(await first)).toString()).toBe('first');
  });

  itOurs('is like clearing the cache of require, in a process without Jest', async () => {
    const peer = await serve((req, res) => res.end('body'));
    const result = await runScript(async (http, { address, root }) => {
      const own = require('node:path').join(root, 'lib');
      for (let i = 0; i < 5; i++) {
        for (const file of Object.keys(require.cache)) {
          if (file.startsWith(own) || file === require.resolve(root)) delete require.cache[file];
        }
        const again = require(root);
        if (again === http) throw new Error('not loaded again');
        await new Promise((resolve, reject) => {
          again.get(address, (res) => res.resume().on('end', resolve)).on('error', reject);
        });
        console.log(i);
      }
    }, { args: { address: peer.address, root: path.resolve(ROOT) } });
    expect(result).toMatchObject({ code: 0, stdout: '0\n1\n2\n3\n4\n', stderr: '' });
  });
});
