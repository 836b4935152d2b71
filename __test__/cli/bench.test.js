'use strict';

/** `ferrequest bench` measures, prints and refuses what it should. How fast the clients are is not tested. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp, serve, unusedPort } = require('../support');
// The copies that the command uses, too.
const { stats } = require('ferrequest');
const { register, unregister } = require('ferrequest/register');
const { toHtml } = require('../../cli/bench/html');
const { toText } = require('../../cli/bench/text');
const { openSender } = require('../../cli/bench/senders');
const { command } = require('./command');

unregister();

/** The least that is a measurement. */
const BRIEFLY = ['--rounds', '1', '--duration', '0.05', '--connections', '2'];

const bench = (...args) => command(['bench', ...BRIEFLY, ...args]);

/** @returns {string} a folder that is removed after the test */
function scratchFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-bench-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Checks that a report shows the result, and needs nothing but itself. */
function checkReport(page, url, { clients }) {
  expect(page).toContain(`<title>HTTP clients of Node on ${url.replace('&', '&amp;')}</title>`);
  expect(page).not.toMatch(/<script|<link|<img|\bsrc=|\bhref=|url\(|@import|NaN|Infinity|undefined/);
  const charts = page.match(/<svg[^]*?<\/svg>/g);
  expect(charts.map((chart) => chart.match(/<rect/g).length)).toEqual([3, 3, 3, 3]);
  expect(charts.map((chart) => chart.match(/<circle/g).length)).toEqual([3, 3, 3, 3]);
  // The longest bar of a chart is that of the client with the most.
  const widths = [...charts[0].matchAll(/<rect class="(\w+)".* width="([\d.]+)"/g)]
    .map(([, id, width]) => [id, Number(width)]);
  const most = Math.max(...clients.map(({ rate }) => rate.median));
  for (const { id, rate } of clients) {
    expect(new Map(widths).get(id)).toBeCloseTo(336 * rate.median / most, 0);
  }
}

/** Checks the table that is printed without `--json`. */
function checkTable(text, url) {
  const lines = text.split('\n');
  expect(lines[0]).toBe(`GET ${url}: 201, 6 B; 2 connections, 1 round of 0.05 s each`);
  expect(lines[2].trim().split(/ {2,}/)).toEqual(['client', 'requests/s', 'CPU µs/request', 'p50 ms', 'p99 ms']);
  const measured = lines.slice(3, 6).map((line) => line.trim().split(/ {2,}/));
  expect(measured.map(([name]) => name.split(' ')[0])).toEqual(['node:http', 'undici', 'ferrequest']);
  for (const [, ...figures] of measured) {
    for (const figure of figures) expect(parseFloat(figure.replaceAll(',', ''))).toBeGreaterThan(0);
  }
  // The ratios of the other two are beside their figures.
  expect(measured.map((figures) => figures.length)).toEqual([5, 7, 7]);
}

describe('ferrequest bench', () => {
  it("asks for the user's URL alone, with each client, and gives JSON, table and report", async () => {
    const seen = new Set();
    const { port, accepted } = await serve((request, response) => {
      seen.add(`${request.method} ${request.url} ${request.headers['x-mine']}`);
      response.writeHead(201).end('answer');
    });
    const url = `http://127.0.0.1:${port}/path?a&b`;
    const file = path.join(scratchFolder(), 'report.html');
    const { code, stdout } = await bench(url, '-H', 'X-Mine: 1', '--json', '--html', file);
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      url, answer: { status: 201, bytes: 6 }, connections: 2, rounds: 1, warmUpMs: 25, measureMs: 50, missing: [] });
    expect(result.clients.map(({ id, errors }) => [id, errors])).toEqual([
      ['node', []], ['undici', []], ['ferrequest', []]]);
    for (const { rate, samples: [sample] } of result.clients) {
      expect(sample.requests).toBeGreaterThan(0);
      expect(rate).toEqual({ median: sample.rate, min: sample.rate, max: sample.rate });
      expect(sample.p99).toBeGreaterThanOrEqual(sample.p50);
      expect(sample.cpu).toBeGreaterThan(0);
    }
    const [node, , ours] = result.clients;
    expect(ours.ratios.rate.median).toBe(ours.samples[0].rate / node.samples[0].rate);
    expect([...seen]).toEqual(['GET /path?a&b 1']);
    // One of the first request, and two of each client.
    expect(accepted.length).toBe(7);
    checkReport(fs.readFileSync(file, 'utf8'), url, result);
    checkTable(toText(result), url);
  });

  it("makes requests of Node's own client also where ferrequest is registered", async () => {
    const { port } = await serve((_request, response) => response.end());
    register();
    cleanUp(unregister);
    const settings = { url: `http://127.0.0.1:${port}/`, headers: {}, connections: 1, status: 200 };
    const requestsOf = async (client) => {
      const before = stats().requests;
      const { close, send } = openSender({ ...settings, client });
      await new Promise((resolve, reject) => { send((error) => (error ? reject(error) : resolve())); });
      close();
      return stats().requests - before;
    };
    expect([await requestsOf('node'), await requestsOf('ferrequest')]).toEqual([0, 1]);
  });

  it('waits for one response at least of a server that takes longer than the measurement', async () => {
    const { port } = await serve((_request, response) => setTimeout(() => response.end(), 200));
    const args = ['bench', ...BRIEFLY, `127.0.0.1:${port}`, '-c', '1', '--json', '--html', 'none/report.html'];
    const { code, stdout, stderr } = await command(args, { cwd: scratchFolder() });
    // The figures are not lost where the report cannot be written.
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(
      /^ferrequest: the report cannot be written: ENOENT.*\n$/) });
    const { clients, missing } = JSON.parse(stdout);
    expect(missing).toEqual(['undici: not installed in this folder']);
    expect(clients.length).toBe(2);
    for (const { samples: [{ requests, p50 }] } of clients) {
      expect(requests).toBeGreaterThan(0);
      expect(p50).toBeGreaterThan(190);
    }
  });

  it('ends with 1 and says of which client a request has failed', async () => {
    let requests = 0;
    const { port } = await serve((_request, response) => response.writeHead(requests++ === 0 ? 200 : 503).end());
    const args = ['bench', ...BRIEFLY, `127.0.0.1:${port}`, '--json'];
    const { code, stdout, stderr } = await command(args, { cwd: scratchFolder() });
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const result = JSON.parse(stdout);
    for (const name of ['node:http', 'ferrequest']) {
      expect(toText(result)).toContain(`FAILED ${name}, round 1: the status is 503 instead of 200\n`);
    }
    const page = toHtml(result);
    expect(page).toContain('FAILED ferrequest, round 1: the status is 503 instead of 200');
    expect(page).not.toMatch(/NaN|Infinity|undefined|<svg/);
  });

  it('measures nothing where the first request shows that the URL is not meant', async () => {
    let requests = 0;
    const { port } = await serve((request, response) => {
      requests++;
      response.writeHead(request.url === '/old' ? 301 : 404, { location: '/new' }).end();
    });
    const closed = await unusedPort();
    const told = await Promise.all([bench(`127.0.0.1:${port}/old`), bench(`127.0.0.1:${closed}`),
      bench('-n', '0')]);
    expect(told.map(({ code, stdout }) => [code, stdout])).toEqual([[1, ''], [1, ''], [2, '']]);
    expect(told[0].stderr).toBe(`ferrequest: http://127.0.0.1:${port}/old answers with 301, and redirects to /new: ` +
      'measure that, if you mean it\n');
    expect(told[1].stderr).toBe(`ferrequest: http://127.0.0.1:${closed}/ cannot be measured: ` +
      `connect ECONNREFUSED 127.0.0.1:${closed}\n`);
    expect(requests).toBe(1);
  });
});
