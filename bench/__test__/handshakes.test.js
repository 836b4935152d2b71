'use strict';

/* global describe, it, expect */

const { judgeHandshakes } = require('../lib/handshakes');
const { workloadById } = require('../workloads');

const BEFORE = { full: 100, resumed: 1000 };

describe('judgeHandshakes', () => {
  it('takes only full handshakes where the client keeps no sessions', () => {
    const workload = workloadById('https-new');
    expect(judgeHandshakes(workload, BEFORE, { full: 150, resumed: 1000 })).toEqual({ resumed: 0 });
    expect(judgeHandshakes(workload, BEFORE, { full: 149, resumed: 1001 })).toEqual({
      resumed: 0.02,
      error: '1 handshakes resumed a session, and 49 were full',
    });
  });

  it('takes a few full handshakes before the sessions that the client keeps are there', () => {
    const workload = workloadById('https-resumed');
    expect(judgeHandshakes(workload, BEFORE, { full: 110, resumed: 1190 })).toEqual({ resumed: 0.95 });
    expect(judgeHandshakes(workload, BEFORE, { full: 180, resumed: 1120 }).error).toMatch('80 were full');
  });

  it('is an error where no connection was made', () => {
    expect(judgeHandshakes(workloadById('https-new'), BEFORE, BEFORE).error).toBeDefined();
    expect(judgeHandshakes(workloadById('https-resumed'), BEFORE, BEFORE).error).toBeDefined();
  });
});
