'use strict';

/**
 * Writes the tables of docs/performance.md anew from bench/RESULTS.md: `node scripts/performance-page.js`. A table
 * follows a line `Section: "..."`. It has every workload of that section whose ratios were measured; those of https
 * only if the section is one of https.
 */

const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');
const PAGE = path.join(ROOT, 'docs/performance.md');

/** Ours, and the others that the page has beside it. Ours is a library on ferrequest where that was measured. */
const OURS = ['ferrequest', 'axios on ferrequest'];
const OTHERS = ['undici.request', 'undici.dispatch'];

/** @returns {Map<string, { rate: string, cpu: string, javaScript: string }>} ratios to the baseline, by client */
function readTable(text) {
  const [header, ...rows] = text.split('\n').filter((line) => line.startsWith('| '))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  // Others count memory, or goals.
  if (header?.[1] !== 'client' || !header[6]?.startsWith('JS ')) return new Map();
  return new Map(rows.map(([, client, , rate, , cpu, , javaScript]) => {
    return [client, { rate: rate.split(' ')[0], cpu, javaScript }];
  }));
}

/** @returns {Map<string, Map<string, ReturnType<typeof readTable>>>} by section and workload */
function readResults() {
  const text = fs.readFileSync(path.join(ROOT, 'bench/RESULTS.md'), 'utf8');
  const parts = (whole, mark) => whole.split(mark).slice(1).map((part) => [part.split('\n')[0], part]);
  return new Map(parts(text, /^## /m).map(([section, content]) => {
    return [section, new Map(parts(content, /^### /m).map(([workload, table]) => [workload, readTable(table)]))];
  }));
}

/** @returns {string} the lines of a section's table, without its header */
function rowsOf(section, workloads) {
  const isOfHttps = (name) => /\bhttps\b/.test(name);
  const wanted = [...workloads].filter(([workload]) => isOfHttps(workload) === isOfHttps(section));
  return wanted.map(([workload, clients]) => {
    const ours = OURS.map((client) => clients.get(client)).find(Boolean);
    if (!ours) return '';
    const others = OTHERS.map((client) => clients.get(client)?.rate ?? '–');
    return `| ${[workload, ours.rate, ours.cpu, ours.javaScript, ...others].join(' | ')} |\n`;
  }).join('');
}

/**
 * @param {string} text the page
 * @returns {string} the page with the tables as they should be
 */
function render(text) {
  const results = readResults();
  return text.replace(/^(Section: "(.*)"\n\n\|.*\n\|.*\n)((?:\|.*\n)*)/gm, (_whole, head, section) => {
    if (!results.has(section)) throw new Error(`bench/RESULTS.md has no section "${section}"`);
    return head + rowsOf(section, results.get(section));
  });
}

if (require.main === module) fs.writeFileSync(PAGE, render(fs.readFileSync(PAGE, 'utf8')));

module.exports = { PAGE, readResults, render };
