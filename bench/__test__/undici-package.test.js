'use strict';

/* global describe, it, expect */

const packageJson = require('../../package.json');
const { clientById, packageOf } = require('../clients');
const { undiciPackage } = require('../clients/undici-package');

describe('undiciPackage', () => {
  it.each([
    ['20.20.2', 'undici'],
    ['22.18.0', 'undici'],
    ['22.19.0', 'undici-8'],
    ['24.0.0', 'undici-8'],
    ['26.1.0', 'undici-8'],
  ])('is for Node %s %s', (nodeVersion, name) => {
    expect(undiciPackage(nodeVersion)).toBe(name);
  });

  it('names packages that are among the devDependencies', () => {
    expect(packageJson.devDependencies.undici).toMatch(/^7\./);
    expect(packageJson.devDependencies['undici-8']).toMatch(/^npm:undici@8\./);
  });
});

describe('packageOf', () => {
  it('depends on the Node for undici only', () => {
    expect(packageOf(clientById('undici-dispatch'), '20.20.2')).toBe('undici');
    expect(packageOf(clientById('undici-dispatch'), '24.1.0')).toBe('undici-8');
    expect(packageOf(clientById('axios'), '24.1.0')).toBe('axios');
    expect(packageOf(clientById('node'), '24.1.0')).toBeUndefined();
  });
});
