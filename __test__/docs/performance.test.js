'use strict';

/** docs/performance.md and README.md have the figures of bench/RESULTS.md, and leave out no workload. */

const fs = require('node:fs');
const path = require('node:path');

const { ROOT } = require('../support');
const { PAGE, readResults, render } = require('../../scripts/performance-page');

const HTTP = 'AMD EPYC, 2 processors, Node 20';
const HTTPS = 'AMD EPYC (family 25 model 17), 2 processors, Node 20, workloads `^https`';

/** The rows of README.md's table, and what they are short for. */
const README = [
  ['small GETs, 50 connections', HTTP, 'GET 15 B, 50 connections'],
  ['small GETs, 1 connection', HTTP, 'GET 15 B, 1 connection'],
  ['small GETs, a new connection for each', HTTP,
    'GET 15 B, a new connection for each request (agent: false), 50 at a time'],
  ['POST 1 KB, 50 connections', HTTP, 'POST 1 KB JSON, 50 connections'],
  ['https, 50 connections', HTTPS, 'https GET 15 B, 50 connections'],
  ['https, 1 connection', HTTPS, 'https GET 15 B, 1 connection'],
  ['https, a full handshake for each', HTTPS,
    'https GET 15 B, a new connection with a full handshake for each request, 10 at a time'],
  ['download of 256 MiB', HTTP, 'Download 256 MiB, 1 connection'],
  ['axios, registered', HTTP, 'axios and got, GET 15 B, 50 connections, on node:http and with ferrequest registered'],
];

describe('docs/performance.md', () => {
  const text = fs.readFileSync(PAGE, 'utf8');

  it('is as scripts/performance-page.js writes it', () => {
    expect(render(text)).toBe(text);
  });

  it('has two tables with many workloads', () => {
    const tables = text.split(/^Section: /m).slice(1);
    expect(tables.map((table) => table.match(/^\| .* \|$/gm).length > 7)).toEqual([true, true]);
  });

  it.each([
    ['http', 'GET 15 B, 50 connections'],
    ['https', 'https GET 15 B, 50 connections'],
  ])('is written anew where a figure of %s is another, or a row is missing or too many', (_what, workload) => {
    const row = text.split('\n').find((line) => line.startsWith(`| ${workload} |`));
    expect(render(text.replace(row, row.replace('.', '')))).toBe(text);
    expect(render(text.replace(`${row}\n`, ''))).toBe(text);
    expect(render(text.replace(row, `${row}\n${row}`))).toBe(text);
  });

  it('names sections that there are', () => {
    expect(() => render(text.replace('Section: "', 'Section: "no '))).toThrow('bench/RESULTS.md has no section "no A');
  });
});

describe("README.md's table", () => {
  const rows = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8').split('\n').filter((line) => / × \|$/.test(line));

  it('has the figures of bench/RESULTS.md, rounded', () => {
    const results = readResults();
    expect(rows).toEqual(README.map(([label, section, workload]) => {
      const clients = results.get(section).get(workload);
      const { rate, cpu } = clients.get('ferrequest') ?? clients.get('axios on ferrequest');
      return `| ${label} | ${(Math.round(rate * 10) / 10).toFixed(1)} × | ${cpu} × |`;
    }));
  });
});
