'use strict';

const { runNode } = require('../support/child.js');

/**
 * @param {string} source an ES module that prints JSON
 * @returns {Promise<any>} what it printed
 */
async function evaluate(source) {
  const { stdout, stderr, code } = await runNode(['--input-type=module', '-e', source]);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return JSON.parse(stdout);
}

describe.each([
  ['ferrequest', 'node:http', ['ClientResponse', 'diagnose', 'stats']],
  ['ferrequest/https', 'node:https', []],
])('%s', (name, builtin, added) => {
  it(`has every export of ${builtin}, and ${added.length} of its own`, async () => {
    const names = await evaluate(`
      import { createRequire } from 'node:module';
      const require = createRequire(process.cwd() + '/');
      const keys = (name) => Object.keys(require(name)).sort();
      console.log(JSON.stringify({ ours: keys('${name}'), builtin: keys('${builtin}') }));
    `);
    expect(names.ours).toEqual([...names.builtin, ...added].sort());
  });

  it('gives an importer the same by name and as the default', async () => {
    const missing = await evaluate(`
      import * as namespace from '${name}';
      const module = namespace.default;
      console.log(JSON.stringify(Object.keys(module).filter((key) => namespace[key] !== module[key])));
    `);
    expect(missing).toEqual([]);
  });

  it('gives require and import the same module', async () => {
    const same = await evaluate(`
      import { createRequire } from 'node:module';
      import module from '${name}';
      console.log(JSON.stringify(createRequire(process.cwd() + '/')('${name}') === module));
    `);
    expect(same).toBe(true);
  });
});
