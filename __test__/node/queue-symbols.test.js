'use strict';

/** We find what Node's agent keeps in a request of its queue, whatever libraries have put in place of its methods. */

const { describeOurs, itOurs, ROOT, runNode, serve } = require('../support');

/** Runs a program that replaces methods of Node's agent before it loads ferrequest. */
async function run(library, program, ...arguments_) {
  const source = `(${library})(require('node:http'), ${JSON.stringify(arguments_)});
    (${program})(require(${JSON.stringify(ROOT)}), ${JSON.stringify(arguments_)});`;
  const { stdout, stderr } = await runNode(['-e', source]);
  expect(stderr).toBe('');
  return stdout;
}

/** Calls methods of Node's agent in another turn of the event loop. */
function defer({ Agent }, [names]) {
  for (const name of names) {
    const { [name]: original } = Agent.prototype;
    Agent.prototype[name] = function later(...arguments_) {
      setImmediate(() => original.apply(this, arguments_));
    };
  }
}

/** Sends requests to several origins, which may have one connection together; writes those that are served. */
function request(http, [, origins]) {
  const agent = new http.Agent({ maxTotalSockets: 1 });
  for (const origin of origins) {
    http.get({ ...origin, agent }, (res) => res.resume().on('end', () => process.stdout.write(`${origin.path} `)));
  }
}

describeOurs('a library that calls a method of Node\'s agent later', () => {
  it.each([['addRequest'], ['removeSocket']])('leaves no request of another origin waiting: %s', async (name) => {
    const servers = await Promise.all(['/one', '/two', '/three'].map(async (path) => {
      const { address } = await serve((req, res) => res.end());
      return { ...address, path };
    }));
    expect(await run(defer, request, [name], servers)).toBe('/one /two /three ');
  });

  it('keeps no request that Node\'s agent has queued from its async context', async () => {
    const { address } = await serve((req, res) => res.end());
    const stdout = await run(defer, (http, [, options]) => {
      const { AsyncLocalStorage } = require('node:async_hooks');
      const contexts = new AsyncLocalStorage();
      const agent = new http.Agent({ maxSockets: 1 });
      // One of its own, so that Node's addRequest is called.
      agent.getName = () => 'origin';
      for (const context of ['one', 'two', 'three']) {
        contexts.run(context, () => http.get({ ...options, agent }, (res) => {
          process.stdout.write(`${contexts.getStore()} `);
          res.resume();
        }));
      }
    }, ['addRequest'], address);
    expect(stdout).toBe('one two three ');
  });
});

itOurs('loading ferrequest makes no request that a library sees', async () => {
  const watch = ({ Agent }) => {
    for (const name of ['addRequest', 'createSocket']) {
      Agent.prototype[name] = () => process.stdout.write(name);
    }
  };
  expect(await run(watch, () => {})).toBe('');
});
