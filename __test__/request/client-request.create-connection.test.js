'use strict';

/** A createConnection that gives no stream makes an exception that names the mistake, as with node:http. */

const { itMends, nodeIsAtLeast, runScript } = require('../support');

/** Values that are no streams, as text. */
const WRONG = ['{}', '[]', '() => {}', '"text"', '1', 'true', 'Symbol("x")'];
/** Those that createConnection may return to say that it will call back. */
const FALSY = ['null', 'undefined', '0', '""', 'false'];

const WAYS = {
  'returned without an agent': '(value) => ({ createConnection: () => value })',
  'called back without an agent': '(value) => ({ createConnection: (_, done) => process.nextTick(done, null, value) })',
  'called back at once without an agent': '(value) => ({ createConnection: (_, done) => void done(null, value) })',
  'called back by an agent': `(value) => {
    const agent = new http.Agent();
    agent.createConnection = (_, done) => process.nextTick(done, null, value);
    return { agent };
  }`,
  'returned by an agent': `(value) => {
    const agent = new http.Agent();
    agent.createConnection = () => value;
    return { agent };
  }`,
};

/** Prints what becomes of a request for each value. */
async function outcomes(http, { way, values }) {
  const optionsOf = new Function('http', `return ${way}`)(http);
  for (const text of values) {
    let timer;
    const outcome = await new Promise((resolve) => {
      timer = setTimeout(resolve, 1000, 'nothing');
      process.removeAllListeners('uncaughtException').once('uncaughtException', resolve);
      try {
        const req = http.request({ host: '127.0.0.1', port: 9, ...optionsOf(new Function(`return ${text}`)()) });
        req.on('error', () => resolve('error')).end();
      } catch (error) {
        resolve(error);
      }
    });
    clearTimeout(timer);
    console.log(outcome.name ?? outcome);
  }
}

describe('a value that is no stream', () => {
  // Since Node 24, one that is given at once is lost, and the request with it.
  const isLost = (title) => nodeIsAtLeast(24) && /returned without|at once/.test(title);

  describe.each(Object.entries(WAYS))('%s', (title, way) => {
    itMends(isLost(title))('is a TypeError', async () => {
      // What is returned may also be nothing, and the connection be given to the callback.
      const values = title.includes('returned') ? WRONG : [...WRONG, ...FALSY];
      const { stdout } = await runScript(outcomes, { args: { way, values } });
      expect(stdout).toBe('TypeError\n'.repeat(values.length));
    });
  });
});
