'use strict';

const { createPolicy } = require('../../lib/retry/policy');
const { newAgent, describeOurs } = require('../support');

describe('a policy of retries', () => {
  it('has the defaults of undici', () => {
    const policy = createPolicy({ maxRetries: 5 });
    expect(policy).toMatchObject({
      maxRetries: 5, minTimeout: 500, maxTimeout: 30_000, timeoutFactor: 2, retryAfter: true, maxBodySize: 1_048_576,
    });
    expect([...policy.methods]).toEqual(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'QUERY']);
    expect([...policy.statusCodes]).toEqual([500, 502, 503, 504, 429]);
    expect([...policy.errorCodes]).toEqual(['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'ENETDOWN', 'ENETUNREACH',
      'EHOSTDOWN', 'EHOSTUNREACH', 'EPIPE']);
  });

  it('takes undefined for the default', () => {
    expect(createPolicy({ maxRetries: undefined, minTimeout: 1 })).toMatchObject({ maxRetries: 5, minTimeout: 1 });
  });

  it.each([undefined, null, false])('is none for %s', (options) => {
    expect(createPolicy(options)).toBeUndefined();
  });

  it('waits longer each time, up to maxTimeout', () => {
    const policy = createPolicy({ minTimeout: 100, timeoutFactor: 3, maxTimeout: 1000 });
    expect([1, 2, 3, 4].map((attempts) => policy.delayOf(attempts))).toEqual([100, 300, 900, 1000]);
  });

  it('gives no delay that a timer does not take', () => {
    const policy = createPolicy({ minTimeout: Infinity, maxTimeout: Infinity });
    expect(policy.delayOf(1)).toBe(2 ** 31 - 1);
  });

  it('waits for as long as Retry-After says, up to maxTimeout', () => {
    const policy = createPolicy({ minTimeout: 100, maxTimeout: 20_000 });
    expect(['0', '7', '100'].map((field) => policy.delayOf(1, field))).toEqual([0, 7000, 20_000]);
  });

  it('waits until the date of Retry-After', () => {
    const policy = createPolicy({ minTimeout: 100, maxTimeout: 3_600_000 });
    const delay = policy.delayOf(1, new Date(Date.now() + 600_000).toUTCString());
    expect(delay).toBeGreaterThan(580_000);
    expect(delay).toBeLessThanOrEqual(601_000);
  });

  it.each(['soon', '-1', '1.5', 'Wed, 21 Oct 2015 07:28:00 GMT', ''])('takes no notice of Retry-After: %s', (field) => {
    expect(createPolicy({ minTimeout: 100 }).delayOf(1, field)).toBe(100);
  });

  it('takes no notice of Retry-After with retryAfter: false', () => {
    expect(createPolicy({ minTimeout: 100, retryAfter: false }).delayOf(1, '7')).toBe(100);
  });
});

describeOurs('an option `retry` that is not ours', () => {
  it.each([
    ['a number', 3],
    ['a function', () => {}],
    ['a list', []],
    ['an object that says nothing', { maxRetries: undefined }],
    ['an empty object', {}],
    ['one of got 11', { limit: 2, methods: ['GET'], statusCodes: [503], errorCodes: [], calculateDelay() {} }],
  ])('is none: %s', (_name, retry) => {
    expect(createPolicy(retry)).toBeUndefined();
    expect(() => newAgent({ retry })).not.toThrow();
  });
});

describeOurs('an agent', () => {
  it.each([
    [{ retry: { maxRetries: -1 } }, 'ERR_OUT_OF_RANGE', 'The value of "options.retry.maxRetries" is out of range.'],
    [{ retry: { maxRetries: 1.5 } }, 'ERR_OUT_OF_RANGE', 'The value of "options.retry.maxRetries" is out of range.'],
    [{ retry: { minTimeout: '1s' } }, 'ERR_INVALID_ARG_TYPE',
      'The "options.retry.minTimeout" property must be of type number.'],
    [{ retry: { timeoutFactor: NaN } }, 'ERR_OUT_OF_RANGE',
      'The value of "options.retry.timeoutFactor" is out of range.'],
    [{ retry: { retryAfter: 1 } }, 'ERR_INVALID_ARG_TYPE',
      'The "options.retry.retryAfter" property must be of type boolean.'],
    [{ retry: { methods: 'GET' } }, 'ERR_INVALID_ARG_TYPE',
      'The "options.retry.methods" property must be an instance of Array.'],
    [{ retry: { statusCodes: ['503'] } }, 'ERR_INVALID_ARG_TYPE',
      'The "options.retry.statusCodes[0]" property must be of type number.'],
    [{ retry: { body: 'text' } }, 'ERR_INVALID_ARG_TYPE',
      'The "options.retry.body" property must be of type function.'],
  ])('refuses %j', (options, code, message) => {
    const expected = { code, message: expect.stringContaining(message) };
    expect(() => newAgent(options)).toThrow(expect.objectContaining(expected));
  });
});
