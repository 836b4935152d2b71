'use strict';

/** Addresses longer than what hands them to the I/O thread. */

const { http, isNative, responseTo } = require('../support');

describe('an address of 200,000 characters', () => {
  const options = {
    socketPath: { socketPath: `/${'x'.repeat(200000)}` },
    'a zone': { host: 'nowhere', autoSelectFamily: false, lookup: (host, settings, callback) => {
      // Link-local for the kernel, and not for libuv, which would give it another zone.
      setImmediate(callback, null, `febf::1%${'x'.repeat(200000)}`, 6);
    } },
  };

  it.each(Object.entries(options))('in %s fails as a shorter one that no kernel takes', async (name, where) => {
    const { code, syscall } = await responseTo(http.get({ ...where, agent: false })).catch((error) => error);
    expect(syscall).toBe('connect');
    // Node before 22 cuts a path off where the kernel's limit is, and tries that.
    expect(isNative ? ['EINVAL'] : ['EINVAL', 'ENOENT']).toContain(code);
  });
});
