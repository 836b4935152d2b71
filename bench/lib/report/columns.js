'use strict';

/**
 * A column of a result table.
 *
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: import('../summary').Row) => string} cell
 */

/**
 * The columns for a workload. Every time is per request, or per MiB where bodies are what counts.
 *
 * @param {import('../../workloads').Workload} workload
 * @returns {Column[]}
 */
function columnsFor(workload) {
  const client = { title: 'client', cell: (row) => row.client.label };
  if (workload.run === 'idle') {
    return [
      client,
      { title: 'RSS growth, KiB/conn', cell: median('rssGrowth', 2) },
      { title: '× baseline (range)', cell: ratioWithRange('rssGrowth') },
      { title: 'after 10 s', cell: median('restedGrowth', 2) },
      { title: '×', cell: ratio('restedGrowth') },
      { title: 'RSS MiB', cell: median('rss', 0) },
      { title: 'CPU while idle', cell: percent('idleCpu') },
      { title: 'others', cell: percent('others') },
    ];
  }
  const unit = workload.transferBytes === undefined ? 'req' : 'MiB';
  return [
    client,
    { title: `${unit}/s`, cell: median('rate', 0) },
    { title: '× baseline (range)', cell: ratioWithRange('rate') },
    { title: `CPU µs/${unit}`, cell: median('cpu', 1) },
    { title: '×', cell: ratio('cpu') },
    { title: `JS µs/${unit}`, cell: median('js', 1) },
    { title: '×', cell: ratio('js') },
    { title: 'p50 ms', cell: median('p50', 3) },
    { title: 'p99 ms', cell: median('p99', 3) },
    { title: '×', cell: ratio('p99') },
    ...workload.loopDelay
      ? [{ title: 'loop delay p99 ms', cell: median('loopDelay', 3) }, { title: '×', cell: ratio('loopDelay') }]
      : [],
    ...workload.sessions ? [{ title: 'resumed', cell: percent('resumed') }] : [],
    { title: 'RSS MiB', cell: median('rss', 0) },
    { title: 'server', cell: percent('server') },
    { title: 'others', cell: percent('others') },
  ];
}

/**
 * @param {string} metric
 * @param {number} digits
 * @returns {Column['cell']}
 */
function median(metric, digits) {
  return ({ medians }) => number(medians[metric], digits);
}

/**
 * @param {string} metric a share of one processor
 * @returns {Column['cell']}
 */
function percent(metric) {
  return ({ medians }) => (Number.isFinite(medians[metric]) ? `${Math.round(medians[metric] * 100)} %` : '–');
}

/**
 * @param {string} metric
 * @returns {Column['cell']}
 */
function ratio(metric) {
  return ({ ratios }) => number(ratios[metric]?.median, 2);
}

/**
 * @param {string} metric
 * @returns {Column['cell']}
 */
function ratioWithRange(metric) {
  return ({ ratios }) => {
    const found = ratios[metric];
    return found ? `${number(found.median, 2)} (${number(found.min, 2)}–${number(found.max, 2)})` : '–';
  };
}

/**
 * @param {number | undefined} value
 * @param {number} digits
 * @returns {string}
 */
function number(value, digits) {
  if (value === undefined || !Number.isFinite(value)) {
    return '–';
  }
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

module.exports = { columnsFor, number };
