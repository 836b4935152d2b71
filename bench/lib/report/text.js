'use strict';

const { columnsFor, number } = require('./columns');

/**
 * A workload's result for the terminal.
 *
 * @param {import('../summary').WorkloadSummary} summary
 * @returns {string}
 */
function toText({ workload, rows, goals }) {
  const columns = columnsFor(workload);
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
  const lines = ['', `${workload.title}  [${workload.id}]`, ...align(cells)];
  for (const { client, errors } of rows) {
    lines.push(...errors.map((error) => `  FAILED ${client.label}: ${error}`));
  }
  for (const { text, value, met } of goals.filter((goal) => goal.met !== null)) {
    lines.push(`  ${met ? 'reached' : 'MISSED '} ${text}: ${number(value ?? NaN, 2)}`);
  }
  return lines.join('\n');
}

/**
 * @param {string[][]} rows
 * @returns {string[]} the first column to the left, the others to the right
 */
function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => {
    const cells = row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])));
    return `  ${cells.join('  ')}`;
  });
}

module.exports = { toText, align };
