'use strict';

const { machineCpu, threadCpu } = require('./proc');

/**
 * What this process, its JavaScript thread, the server and the rest of the machine used between two moments.
 *
 * @typedef {object} Usage
 * @property {number} wallUs
 * @property {number} cpuUs of all threads of this process, in user and kernel mode
 * @property {number} jsUs that the event loop was not waiting (performance.eventLoopUtilization)
 * @property {number} jsCpuUs CPU time of the JavaScript thread
 * @property {number} serverCpuUs
 * @property {number} othersCpuUs of processes that take no part
 * @property {number} switches context switches of this process
 */
class MeasurementWindow {
  /** @param {number} serverPid */
  constructor(serverPid) {
    this.serverDirectory = `/proc/${serverPid}`;
    this.machineUs = machineCpu();
    this.serverUs = threadCpu(this.serverDirectory);
    this.switches = contextSwitches();
    this.utilization = performance.eventLoopUtilization();
    this.mainThreadUs = threadCpu('/proc/self');
    this.cpu = process.cpuUsage();
    this.startedAt = performance.now();
  }

  /** @returns {Usage} since the construction */
  close() {
    const wallUs = (performance.now() - this.startedAt) * 1000;
    const cpu = process.cpuUsage(this.cpu);
    const jsCpuUs = threadCpu('/proc/self') - this.mainThreadUs;
    const utilization = performance.eventLoopUtilization(this.utilization);
    const switches = contextSwitches() - this.switches;
    const serverCpuUs = threadCpu(this.serverDirectory) - this.serverUs;
    const cpuUs = cpu.user + cpu.system;
    return {
      wallUs,
      cpuUs,
      jsUs: utilization.active * 1000,
      jsCpuUs,
      serverCpuUs,
      // The machine counts in ticks, the processes exactly: a small negative difference is nothing.
      othersCpuUs: Math.max(0, machineCpu() - this.machineUs - cpuUs - serverCpuUs),
      switches,
    };
  }
}

/** @returns {number} */
function contextSwitches() {
  const { voluntaryContextSwitches, involuntaryContextSwitches } = process.resourceUsage();
  return voluntaryContextSwitches + involuntaryContextSwitches;
}

module.exports = { MeasurementWindow };
