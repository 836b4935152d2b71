'use strict';

/**
 * Tells when requests were handed to the I/O thread. A doorbell hands many over, and one look at the clock serves them
 * all.
 */

const { now } = require('../node/timing');

/** Collects the commands and buffers that one doorbell hands over. */
class Handover {
  constructor() {
    /** Time of the doorbell, in milliseconds of `now`; undefined until it has rung. */
    this.time = undefined;
  }
}

/** The handover that the next doorbell makes; null while nobody wants to know its time. @type {Handover|null} */
let next = null;

/** @returns {Handover} The handover that the next doorbell makes. */
function nextHandover() {
  next ??= new Handover();
  return next;
}

/** Notes the time of a doorbell. */
function onDoorbell() {
  if (next === null) return;
  next.time = now();
  next = null;
}

module.exports = { nextHandover, onDoorbell };
