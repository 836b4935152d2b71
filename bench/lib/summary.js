'use strict';

const { clientById } = require('../clients');
const { median, spread } = require('./statistics');

/** The metrics that are compared with the baseline. */
const COMPARED = ['rate', 'cpu', 'js', 'p50', 'p99', 'loopDelay', 'rss', 'rssGrowth', 'restedGrowth'];
const SHOWN = [...COMPARED, 'jsCpu', 'switches', 'resumed', 'idleCpu', 'server', 'others'];

/**
 * What a goal calls them.
 *
 * @type {Record<string, string>}
 */
const METRIC_NAMES = {
  rate: 'rate',
  cpu: 'CPU',
  js: 'time on the JavaScript thread',
  p99: 'p99',
  loopDelay: 'p99 of the event-loop delay',
  rssGrowth: 'RSS growth',
};

/**
 * One client's part of a workload.
 *
 * @typedef {object} Row
 * @property {import('../clients').Client} client
 * @property {string} baseline
 * @property {Record<string, number>} medians over the rounds
 * @property {Record<string, import('./statistics').Spread | null>} ratios to the baseline, round by round
 * @property {(import('./steady-run').Sample | null)[]} samples one a round
 * @property {string[]} errors
 *
 * @typedef {object} GoalResult
 * @property {string} text
 * @property {number | null} value
 * @property {boolean | null} met null if it was not measured
 *
 * @typedef {object} WorkloadSummary
 * @property {import('../workloads').Workload} workload
 * @property {Row[]} rows
 * @property {GoalResult[]} goals
 *
 * @param {import('../workloads').Workload} workload
 * @param {{ client: import('../clients').Client, samples: Row['samples'], errors: string[] }[]} measured
 * @returns {WorkloadSummary}
 */
function summarise(workload, measured) {
  const samplesOf = new Map(measured.map(({ client, samples }) => [client.id, samples]));
  const rows = measured.map(({ client, samples, errors }) => {
    const baseline = client.baseline ?? workload.clients[0];
    return {
      client,
      baseline,
      samples,
      errors,
      medians: Object.fromEntries(SHOWN.map((metric) => [metric, medianOf(samples, metric)])),
      ratios: Object.fromEntries(COMPARED.map((metric) => [metric, ratio(samples, samplesOf.get(baseline), metric)])),
    };
  });
  const goals = workload.goals.flatMap((goal) =>
    rows.filter(({ client }) => client.id === (goal.of ?? 'ferrequest')).map((row) => judge(goal, row, samplesOf)),
  );
  return { workload, rows, goals };
}

/**
 * @param {Row['samples']} samples
 * @param {string} metric
 * @returns {number}
 */
function medianOf(samples, metric) {
  const values = samples.map((sample) => sample?.[metric]).filter((value) => Number.isFinite(value));
  return values.length === 0 ? NaN : median(values);
}

/**
 * @param {Row['samples']} samples
 * @param {Row['samples'] | undefined} baseline
 * @param {string} metric
 * @returns {import('./statistics').Spread | null}
 */
function ratio(samples, baseline, metric) {
  if (!baseline) {
    return null;
  }
  // Round by round: what disturbed the machine for a while disturbed neighbours alike.
  return spread(samples.map((sample, round) => (sample?.[metric] ?? NaN) / (baseline[round]?.[metric] ?? NaN)));
}

/**
 * @param {import('../workloads').Goal} goal
 * @param {Row} row
 * @param {Map<string, Row['samples']>} samplesOf
 * @returns {GoalResult}
 */
function judge(goal, row, samplesOf) {
  const over = goal.over ?? row.baseline;
  const measured = ratio(row.samples, samplesOf.get(over), goal.metric);
  const value = measured?.median ?? null;
  return {
    text: `${row.client.label}: ${METRIC_NAMES[goal.metric]} ${boundOf(goal)} × ${clientById(over).label}`,
    value,
    met: value === null ? null : isWithin(goal, value),
  };
}

/**
 * @param {import('../workloads').Goal} goal
 * @returns {string}
 */
function boundOf({ atLeast, atMost, below }) {
  if (below !== undefined) {
    return `below ${below}`;
  }
  return atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
}

/**
 * @param {import('../workloads').Goal} goal
 * @param {number} value
 * @returns {boolean}
 */
function isWithin({ atLeast = 0, atMost = Infinity, below = Infinity }, value) {
  return value >= atLeast && value <= atMost && value < below;
}

module.exports = { summarise };
