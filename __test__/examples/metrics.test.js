'use strict';

const { runNode } = require('../support/child.js');

/** Values of the metrics of a name, by their labels without those of the server that the example has made. */
function valuesOf(text, name) {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  return Object.fromEntries(lines.map((line) => {
    const [, labels, value] = /\{(.*)\} (\S+)$/.exec(line);
    return [labels.replace(/(?:origin|host)="[^"]*",?/g, '').replace(/,$/, ''), Number(value)];
  }));
}

describe('examples/metrics.js', () => {
  it('counts what its requests and connections did, and exits with 0', async () => {
    const { code, stdout, stderr } = await runNode(['examples/metrics.js'], { timeout: 30_000 });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const values = (name) => valuesOf(stdout, `http_client_${name}`);
    expect(values('request_duration_seconds_count')).toEqual({ 'method="GET",status="200"': 5 });
    expect(values('requests_failed_total')).toEqual({ 'method="GET",code="ECONNREFUSED",phase="connect"': 1 });
    expect(values('requests_retried_total')).toEqual({ 'method="GET"': 1 });
    expect(Object.values(values('connections'))).toEqual([0]);
    expect(values('connections_closed_total')).toEqual({
      'reason="not-persistent"': 1, 'reason="agent-destroyed"': 1 });
    const states = ['used', 'idle', 'waiting'].map((state) => [`agent="example",state="${state}"`, 0]);
    expect(values('agent_sockets')).toEqual(Object.fromEntries(states));
  });
});
