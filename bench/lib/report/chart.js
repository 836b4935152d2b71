'use strict';

const { number } = require('./columns');

const WIDTH = 880;
const LABEL_WIDTH = 190;
const PANEL_WIDTH = 270;
const PANEL_GAP = 70;
const TOP = 88;
const BAR = 10;
const BAR_GAP = 2;
const GROUP_GAP = 14;

/** Drawn in this order; the baseline is the line at 1. */
const SERIES = [
  { id: 'ferrequest', label: 'ferrequest', color: '#c2410c' },
  { id: 'undici-dispatch', label: 'undici.dispatch', color: '#1d4ed8' },
  { id: 'undici-request', label: 'undici.request', color: '#60a5fa' },
  { id: 'fetch', label: 'fetch', color: '#9ca3af' },
];

// A ratio past a panel's limit is drawn as far as that, and cut off: one slow client must not flatten the others.
const PANELS = [
  { metric: 'rate', title: 'Requests (or MiB) a second', hint: 'longer is better', limit: Infinity },
  { metric: 'cpu', title: 'CPU a request (or MiB), all threads', hint: 'shorter is better', limit: 1.6 },
];

/**
 * Bars for each workload: the ratios to node:http.
 *
 * @param {import('../summary').WorkloadSummary[]} summaries
 * @returns {string} an SVG document
 */
function toChart(summaries) {
  const groups = summaries.filter(({ workload }) => workload.chart).map(toGroup).filter(({ rows }) => rows.length > 0);
  const series = SERIES.filter(({ id }) => groups.some(({ rows }) => rows.some(({ client }) => client.id === id)));
  const scales = PANELS.map((panel) => scaleFor(groups, panel));
  let y = TOP;
  const body = [];
  for (const group of groups) {
    body.push(...drawGroup(group, y, scales));
    y += heightOf(group) + GROUP_GAP;
  }
  const lines = PANELS.map((_, panel) => referenceLine(panelLeft(panel) + scales[panel], y - GROUP_GAP));
  return document(y + 8, [...heading(series), ...lines, ...body]);
}

/**
 * @param {ReturnType<typeof toGroup>} group
 * @param {number} top
 * @param {number[]} scales one a panel
 * @returns {string[]}
 */
function drawGroup(group, top, scales) {
  const label = text(LABEL_WIDTH - 12, top + heightOf(group) / 2 + 3, group.label, 'end');
  const drawn = PANELS.flatMap((panel, index) => bars(group.rows, panel, panelLeft(index), top, scales[index]));
  return [label, ...drawn];
}

/**
 * @param {ReturnType<typeof toGroup>} group
 * @returns {number}
 */
function heightOf({ rows }) {
  return rows.length * (BAR + BAR_GAP);
}

/**
 * @param {import('../summary').WorkloadSummary} summary
 * @returns {{ label: string, rows: { client: { id: string }, color: string, ratios: any }[] }}
 */
function toGroup({ workload, rows }) {
  return {
    label: /** @type {string} */ (workload.chart),
    rows: SERIES.flatMap(({ id, color }) => {
      const row = rows.find(({ client, ratios }) => client.id === id && ratios.rate);
      return row ? [{ client: row.client, ratios: row.ratios, color }] : [];
    }),
  };
}

/**
 * @param {ReturnType<typeof toGroup>[]} groups
 * @param {typeof PANELS[number]} panel
 * @returns {number} pixels for a ratio of 1
 */
function scaleFor(groups, { metric, limit }) {
  const largest = Math.max(1, ...groups.flatMap(({ rows }) => rows.map(({ ratios }) => ratios[metric].median)));
  return PANEL_WIDTH / Math.min(largest, limit);
}

/**
 * @param {number} panel
 * @returns {number}
 */
function panelLeft(panel) {
  return LABEL_WIDTH + panel * (PANEL_WIDTH + PANEL_GAP);
}

/**
 * @param {ReturnType<typeof toGroup>['rows']} rows
 * @param {typeof PANELS[number]} panel
 * @param {number} left
 * @param {number} top
 * @param {number} scale
 * @returns {string[]}
 */
function bars(rows, { metric, limit }, left, top, scale) {
  return rows.flatMap(({ ratios, color }, index) => {
    const y = top + index * (BAR + BAR_GAP);
    const value = ratios[metric].median;
    const width = Math.max(1, Math.min(value, limit) * scale);
    const end = left + width;
    const cut = value > limit ? [`<path d="M${end - 14} ${y - 1}l-5 ${BAR + 2}m5 0l5 -${BAR + 2}" class="cut"/>`] : [];
    return [
      `<rect x="${left}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="1" fill="${color}"/>`,
      ...cut,
      text(end + 4, y + BAR - 1, number(value, 2), 'start', 'value'),
    ];
  });
}

/**
 * @param {number} x
 * @param {number} bottom
 * @returns {string}
 */
function referenceLine(x, bottom) {
  return `<line x1="${x.toFixed(1)}" y1="${TOP - 6}" x2="${x.toFixed(1)}" y2="${bottom}" class="reference"/>`;
}

/**
 * @param {typeof SERIES} series
 * @returns {string[]}
 */
function heading(series) {
  const legend = series.flatMap(({ label, color }, index) => {
    const x = LABEL_WIDTH + index * 130;
    return [`<rect x="${x}" y="14" width="12" height="12" rx="2" fill="${color}"/>`, text(x + 18, 24, label)];
  });
  const x = LABEL_WIDTH + series.length * 130;
  const baseline = [
    `<line x1="${x + 6}" y1="12" x2="${x + 6}" y2="28" class="reference"/>`,
    text(x + 18, 24, 'node:http = 1'),
  ];
  const titles = PANELS.flatMap(({ title, hint }, panel) => [
    text(panelLeft(panel), 56, title, 'start', 'title'),
    text(panelLeft(panel), 72, hint, 'start', 'value'),
  ]);
  return [...legend, ...baseline, ...titles];
}

/**
 * @returns {string}
 */
function text(x, y, content, anchor = 'start', kind = 'label') {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" class="${kind}">${escaped}</text>`;
}

/**
 * @param {number} height
 * @param {string[]} content
 * @returns {string}
 */
function document(height, content) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>ferrequest and other clients relative to node:http</title>
<style>
text { font-family: system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2937; }
.label { font-size: 12px; } .title { font-size: 13px; font-weight: 600; } .value { font-size: 10px; fill: #4b5563; }
.value { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
.reference { stroke: #6b7280; stroke-width: 1; stroke-dasharray: 3 2; }
.cut { stroke: #ffffff; stroke-width: 2; }
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
${content.join('\n')}
</svg>
`;
}

module.exports = { toChart };
