'use strict';

/** ferrequest/register beside libraries that replace parts of node:http or node:net; see docs/register.md. */

const path = require('node:path');
const { describeOurs, nodeIsAtLeast, runNode } = require('../support');

const RUN = path.join(__dirname, '../fixtures/interception/run.js');

const LIBRARY_ALONE = 'library';
const FERREQUEST_FIRST = 'ferrequest,library';
const LIBRARY_FIRST = 'library,ferrequest';

/**
 * Runs a file of fixtures/interception in a process of its own.
 * @param {string} order in which ferrequest and the library are loaded
 * @param {string} name of the file
 * @param {string} [argument] of its load()
 * @param {boolean} [warns] whether ferrequest is to say that it has come too late
 * @returns {Promise<{ results: any, ours: number }>} ours: how many requests ferrequest has made
 */
async function inChild(order, name, argument = '', warns = false) {
  const { code, stdout, stderr } = await runNode([RUN, order, name, argument]);
  const warnings = [...stderr.matchAll(/^\(node:\d+\) \[(\w+)\]/gm)].map(([, warning]) => warning);
  expect({ code, warnings }).toEqual({ code: 0, warnings: warns ? ['FERREQUEST_REGISTERED_LATE'] : [] });
  if (!warns) expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describeOurs.each(['nock', 'nock-13'])('%s', (library) => {
  it('loaded after ferrequest works as over Node: it mocks, and lets through to ours', async () => {
    const [nodes, ours] = [
      await inChild(LIBRARY_ALONE, 'nock', library), await inChild(FERREQUEST_FIRST, 'nock', library)];
    expect(ours.results).toEqual(nodes.results);
    expect(nodes.results).toMatchObject({
      answer: { status: 201, text: 'mocked', trace: 'mocked' },
      error: { code: 'EMOCKED' },
      real: { status: 200, text: 'GET /real ' },
      again: { status: 202 },
    });
    expect(nodes.ours).toBe(0);
    // Three that nock lets through; its newer versions have the client make those that it answers too.
    expect(ours.ours).toBeGreaterThanOrEqual(3);
  });

  it('loaded before ferrequest mocks nothing, of which a warning tells, and real requests work', async () => {
    const { results, ours } = await inChild(LIBRARY_FIRST, 'nock-unused', library, true);
    expect(results).toEqual([
      { status: 200, text: 'GET /real ', trace: 'untraced', isInstance: true },
      false,
      { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:1' },
    ]);
    expect(ours).toBe(2);
  });
});

describeOurs("OpenTelemetry's http instrumentation", () => {
  const tracesOf = ({ results }) => results.answers.map(({ trace, code }) => trace ?? code);

  it('loaded after ferrequest traces its requests as it does those of Node, and sends the context along', async () => {
    const [nodes, ours] = [
      await inChild(LIBRARY_ALONE, 'opentelemetry'), await inChild(FERREQUEST_FIRST, 'opentelemetry')];
    expect(ours.results).toEqual(nodes.results);
    expect(tracesOf(nodes)).toEqual(['traced', 'traced', 'ECONNREFUSED']);
    expect(nodes.results.spans).toMatchObject([
      { name: 'GET', path: '/one', 'http.response.status_code': 200, samePort: true },
      { name: 'POST', path: '/two', 'http.response.status_code': 200, samePort: true },
      { name: 'GET', path: '/refused', 'error.type': 'Error' },
    ]);
    expect([nodes.ours, ours.ours]).toEqual([0, 3]);
  });

  it('loaded before ferrequest traces nothing of it, of which a warning tells, and requests work', async () => {
    const child = await inChild(LIBRARY_FIRST, 'opentelemetry', '', true);
    expect(tracesOf(child)).toEqual(['untraced', 'untraced', 'ECONNREFUSED']);
    expect(child.results.spans).toEqual([]);
    expect(child.ours).toBe(3);
  });
});

// Since Node 22 is what it needs, it replaces what connects sockets, and nothing of node:http.
const describeMsw = nodeIsAtLeast(22) ? describeOurs : describe.skip;

describeMsw('@mswjs/interceptors', () => {
  it.each([['after', FERREQUEST_FIRST], ['before', LIBRARY_FIRST]])(
    'loaded %s ferrequest answers its requests, and lets others through', async (_when, order) => {
      const [nodes, ours] = [await inChild(LIBRARY_ALONE, 'msw'), await inChild(order, 'msw')];
      expect(ours.results).toEqual(nodes.results);
      expect(nodes.results.map(({ status, text }) => [status, text])).toEqual([
        [201, 'mocked'], [201, 'mocked'], [200, 'GET /real '], [200, 'POST /upload sent'], [200, 'GET /restored ']]);
      expect([nodes.ours, ours.ours]).toEqual([0, 5]);
    });
});
