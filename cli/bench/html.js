'use strict';

/** Writes the result of `ferrequest bench` as a page that needs nothing but itself: no script, no font, no request. */

const { version } = require('../../package.json');
const { describe, notes, number } = require('./text');

/** Measures of a chart, in its own units: as wide as the column of a phone, so that text keeps its size there. */
const WIDTH = 340;
const ROW = 52;
const BAR_TOP = 20;
const BAR = 16;
/** Space for half a circle at the end. */
const MARGIN = 4;

const CHARTS = [
  { metric: 'rate', title: 'Requests a second', hint: 'longer is better' },
  { metric: 'cpu', title: 'CPU µs a request, all threads of the client', hint: 'shorter is better' },
  { metric: 'p50', title: 'Latency, median, ms', hint: 'shorter is better' },
  { metric: 'p99', title: 'Latency, 99th percentile, ms', hint: 'shorter is better' },
];

const STYLE = `
:root { color-scheme: light dark; --back: #ffffff; --text: #1f2937; --soft: #5b6472; --line: #d8dce2;
  --node: #8a93a0; --undici: #3b74e0; --ferrequest: #d9541e; --failed: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --text: #e6e8eb; --soft: #a2abb8; --line: #343a44;
  --node: #7d8795; --undici: #6f9df0; --ferrequest: #ee7440; --failed: #f87171; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1rem; margin: 0; }
p { margin: .25rem 0; }
.soft { color: var(--soft); font-size: .875rem; }
.failed { color: var(--failed); }
.charts { display: grid; gap: 2rem 2.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
  margin: 2rem 0; }
section svg { display: block; width: 100%; height: auto; margin-top: .5rem; }
svg text { fill: var(--text); font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; }
svg .value { font-weight: 600; } svg .ratio { fill: var(--soft); }
svg .round { fill: var(--back); stroke: var(--text); stroke-width: 1.2; }
svg .axis { stroke: var(--line); }
.node { fill: var(--node); } .undici { fill: var(--undici); } .ferrequest { fill: var(--ferrequest); }
.scroll { overflow-x: auto; } .notes { margin-top: 1.25rem; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
`;

/** @returns {string} the text, for a page */
function escape(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return String(text).replace(/[&<>"]/g, (character) => entities[character]);
}

/**
 * Draws a bar for each client: its length is the median, and each circle a round.
 * @param {typeof CHARTS[number]} chart
 * @param {object} result
 * @returns {string}
 */
function drawChart({ metric, title, hint }, { clients, baseline }) {
  const shown = clients.filter((client) => client[metric] !== null);
  if (shown.length === 0) return '';
  const largest = Math.max(...shown.map((client) => client[metric].max));
  const scale = (WIDTH - MARGIN) / largest;
  const rows = shown.map((client, index) => drawRow(client, { metric, scale, top: index * ROW, baseline }));
  const words = shown.map((client) => `${client.label} ${number(client[metric].median)}`).join(', ');
  const height = shown.length * ROW;
  return `<section>
<h2>${escape(title)}</h2><p class="soft">${escape(hint)}</p>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(`${title}: ${words}`)}">
<line class="axis" x1="0.5" y1="${BAR_TOP - 2}" x2="0.5" y2="${height}"/>
${rows.join('\n')}
</svg>
</section>`;
}

/** @returns {string} */
function drawRow(client, { metric, scale, top, baseline }) {
  const { id, label, ratios, samples } = client;
  const { median } = client[metric];
  const y = top + BAR_TOP;
  const ratio = id === baseline || !ratios[metric] ? ''
    : ` <tspan class="ratio" dx="6">${number(ratios[metric].median)} ×</tspan>`;
  const rounds = samples.filter((sample) => sample !== null)
    .map((sample) => `<circle class="round" cx="${(sample[metric] * scale).toFixed(1)}" cy="${y + BAR / 2}" r="2.6"/>`);
  return `<text x="0" y="${y - 6}">${escape(label)} <tspan class="value" dx="6">${number(median)}</tspan>${ratio}</text>
<rect class="${id}" x="0" y="${y}" width="${Math.max(1, median * scale).toFixed(1)}" height="${BAR}" rx="2"/>
${rounds.join('')}`;
}

/** @returns {string} the figures, with the range of the rounds */
function drawTable({ clients, baseline }) {
  const range = (spread) => (spread === null ? '-'
    : `${number(spread.median)} <span class="soft">${number(spread.min)} – ${number(spread.max)}</span>`);
  const ratio = (spread, id) => (spread === null || id === baseline ? '' : `${number(spread.median)} ×`);
  const rows = clients.map(({ id, label, version: its, rate, cpu, p50, p99, ratios }) => {
    const name = escape(`${label} ${its ?? ''}`);
    const figures = [range(rate), ratio(ratios.rate, id), range(cpu), ratio(ratios.cpu, id), range(p50), range(p99)];
    return `<tr>${[name, ...figures].map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const heads = ['client', 'requests/s', '', 'CPU µs/request', '', 'p50 ms', 'p99 ms'];
  return `<div class="scroll"><table>
<thead><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody>
</table></div>`;
}

/**
 * Writes the page.
 * @param {object} result of `measure` in bench.js
 * @returns {string}
 */
function toHtml(result) {
  const title = `HTTP clients of Node on ${result.url ?? 'a server of the same machine'}`;
  const lines = notes(result).map((note) => `<p class="soft${note.startsWith('FAILED') ? ' failed' : ''}">${
    escape(note)}</p>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(title)}</h1>
<p>${escape(describe(result))}</p>
<p class="soft">A bar is the median of the rounds, a circle one round; × is to node:http, round by round.</p>
<div class="charts">
${CHARTS.map((chart) => drawChart(chart, result)).join('\n')}
</div>
${drawTable(result)}
<div class="notes">
${lines.join('\n')}
<p class="soft">Measured by <code>ferrequest bench</code> ${escape(version)}, ${
  escape(result.startedAt.slice(0, 16).replace('T', ' '))} UTC</p>
</div>
</body>
</html>
`;
}

module.exports = { toHtml };
