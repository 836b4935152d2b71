'use strict';

/** The programs in examples/ run, each against a server of its own, and print what they are there to show. */

const fs = require('node:fs');
const path = require('node:path');

const { ROOT, runNode } = require('../support/child');
const { describeOurs, itNative } = require('../support');

/** What each prints, on lines of their own. */
const PRINTED = {
  'abort.js': ['no answer in time: ABORT_ERR', 'enough was read: ECONNRESET',
    'three at once: AbortError, AbortError, AbortError'],
  'axios-service.js': ['one of each: 7', '3 requests went through ferrequest'],
  'download.js': [/^\[#{30}\] 100 % 64\.0 MiB$/, '67108864 bytes in the file'],
  'multipart.js': ['multipart/form-data: author, program; all bytes came'],
  'tracing.js': ['the server was told a1', /^GET \/ 200 \(ms: wait [\d.]+, .*firstByte [\d.]+, download [\d.]+, total/,
    'GET /broken failed in the phase response: ECONNRESET'],
  'unix-socket.js': ['200 /_ping was asked'],
  'websocket-through-proxy.js': ['echo of hello'],
  'workers.js': ['50 and 50 responses in workers, 0 in the main thread'],
};

describeOurs('examples/', () => {
  it('has no program that is not run, and none that docs/examples.md does not name', () => {
    const programs = fs.readdirSync(path.join(ROOT, 'examples')).filter((name) => name.endsWith('.js'));
    // demo.test.js and metrics.test.js run the others.
    expect(programs.filter((name) => !['demo.js', 'metrics.js'].includes(name))).toEqual(Object.keys(PRINTED));
    const page = fs.readFileSync(path.join(ROOT, 'docs/examples.md'), 'utf8');
    expect(programs.filter((name) => !page.includes(`(../examples/${name})`))).toEqual([]);
  });

  itNative.each(Object.entries(PRINTED))('%s prints what it is there to show, and ends', async (name, expected) => {
    const { code, stdout, stderr } = await runNode([`examples/${name}`]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const patterns = expected.map((text) => (typeof text === 'string' ? text : expect.stringMatching(text)));
    expect(stdout.trim().split('\n')).toEqual(patterns);
  });
});
