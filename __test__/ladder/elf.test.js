'use strict';

/** ferrequest reads from ELF files: the dynamic loader that a program names, and whether a file is whole. */

const path = require('node:path');

const { describeLinux } = require('../support');
const { program, write } = require('../support/elf');
const { ADDON } = require('../support/package-copy');
const { dynamicLoader, isCut } = require('../../lib/ladder/elf');

describe('the dynamic loader of a program', () => {
  it('is read wherever its name stands', () => {
    expect(dynamicLoader(write(program('/lib/ld-musl-x86_64.so.1')))).toBe('/lib/ld-musl-x86_64.so.1');
  });

  it.each([
    ['names none', program(undefined)],
    ['is cut', program('/lib64/ld-linux-x86-64.so.2').subarray(0, 80)],
    ['is none of ELF', Buffer.from('#!/bin/sh\n')],
    ['is empty', Buffer.alloc(0)],
  ])('is unknown where the program %s', (_what, bytes) => {
    expect(dynamicLoader(write(bytes))).toBeUndefined();
  });

  it('is unknown where there is no program', () => {
    expect(dynamicLoader(path.join(__dirname, 'none'))).toBeUndefined();
  });
});

describe('a file', () => {
  const whole = program('/lib/ld-musl-x86_64.so.1');

  it('that ends before its last segment does is cut', () => {
    expect(isCut(write(whole))).toBe(false);
    expect(isCut(write(whole.subarray(0, -1)))).toBe(true);
    expect(isCut(write(whole.subarray(0, 1000)))).toBe(true);
  });

  it.each([
    ['has no whole head', whole.subarray(0, 80)],
    ['is none of ELF', Buffer.from('#!/bin/sh\n')],
  ])('that %s is left to the dynamic loader', (_what, bytes) => {
    expect(isCut(write(bytes))).toBe(false);
  });

  it('that is not there is not cut', () => {
    expect(isCut(path.join(__dirname, 'none'))).toBe(false);
  });
});

describeLinux('the addon', () => {
  it('is whole', () => {
    expect(isCut(ADDON)).toBe(false);
  });
});
