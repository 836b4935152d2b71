'use strict';

/**
 * Where the microseconds of a request go, on every thread. README.md beside this file says how to read it.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { measureInProcess } = require('./lib/client-process');
const { describeMachine } = require('./lib/machine');
const { WARM_UP } = require('./lib/options');
const { parseOptions, USAGE } = require('./lib/profile/options');
const { countSystemCalls, perfProblem, recordHotSpots } = require('./lib/profile/perf');
const { clientSection } = require('./lib/profile/report');
const { startServer } = require('./lib/server-process');

const RESULT = path.join(__dirname, 'PROFILE.md');

// Only what is between these is written again; what people found and wrote around it stays.
const BEGIN = '<!-- measured by bench/profile.js -->';
const END = '<!-- end of what was measured -->';

const WARM_UP_MS = 1500;

// perf has to start and stop within the measured window, and takes a while to attach itself to every thread.
const PERF_MARGIN_MS = 3000;

/** Runs a client as often as there are ways to look at it: each of them disturbs what it looks at. */
class ClientProfiler {
  /**
   * @param {import('./lib/profile/options').Options} options
   * @param {import('./lib/server-process').ServerAddress} server
   * @param {string} scratch
   * @param {boolean} withPerf
   */
  constructor(options, server, scratch, withPerf) {
    this.options = options;
    this.server = server;
    this.scratch = scratch;
    this.withPerf = withPerf;
  }

  /**
   * @param {import('./clients').Client} client
   * @param {import('./workloads').Workload} workload
   * @returns {Promise<string>} Markdown
   */
  async section(client, workload) {
    try {
      const plain = await this.run(client, workload, 'threads');
      const profiled = await this.run(client, workload, 'functions');
      this.keep(client, workload, profiled.profile);
      const native = this.withPerf ? await this.native(client, workload) : {};
      return clientSection({ client, plain, profiled, ...native });
    } catch (error) {
      process.exitCode = 1;
      return `### ${client.label}\n\nNot profiled: ${error.message.split('\n', 1)[0]}`;
    }
  }

  /**
   * @param {import('./clients').Client} client
   * @param {import('./workloads').Workload} workload
   * @param {'threads' | 'functions'} profile
   * @param {number} [marginMs]
   * @param {(pid: number) => void} [onMeasuring]
   * @returns {Promise<import('./lib/profile/profiled-run').ProfiledSample>}
   * @private
   */
  async run(client, workload, profile, marginMs = 0, onMeasuring) {
    const measureMs = this.options.milliseconds + marginMs;
    const timing = { ...WARM_UP, warmUpMs: WARM_UP_MS, measureMs, warmUpTransfers: 1, transfers: 1 };
    const settings = { client, workload: workload.id, server: this.server, timing, profile };
    const { sample, error } = await measureInProcess(settings, this.options.node, onMeasuring);
    if (error) {
      throw new Error(error);
    }
    return sample;
  }

  /**
   * @param {import('./clients').Client} client
   * @param {import('./workloads').Workload} workload
   * @returns {Promise<Pick<import('./lib/profile/report').ClientProfile, 'hot' | 'calls'>>}
   * @private
   */
  async native(client, workload) {
    const seconds = this.options.milliseconds / 1000;
    const dataFile = path.join(this.scratch, 'perf.data');
    const hot = await this.watched(client, workload, (pid) => recordHotSpots(pid, seconds, dataFile));
    const calls = await this.watched(client, workload, (pid) => countSystemCalls(pid, seconds));
    return {
      hot: { spots: hot.seen, names: hot.names },
      calls: { calls: calls.seen, names: calls.names, answers: calls.answers },
    };
  }

  /**
   * @template Seen
   * @param {import('./clients').Client} client
   * @param {import('./workloads').Workload} workload
   * @param {(pid: number) => Promise<Seen>} watch
   * @returns {Promise<{ seen: Seen, names: Map<string, string>, answers: number }>}
   * @private
   */
  async watched(client, workload, watch) {
    /** @type {Promise<Seen> | undefined} */
    let watching;
    const { threads, marks } = await this.run(client, workload, 'threads', PERF_MARGIN_MS, (pid) => {
      watching = watch(pid);
      // It is waited for below; until then its failure is not an unhandled one.
      watching.catch(() => {});
    });
    const names = new Map(threads.map(({ id, name, main }) => [id, main ? 'JavaScript' : name]));
    return { seen: await /** @type {Promise<Seen>} */ (watching), names, answers: marks[1] - marks[0] };
  }

  /**
   * @param {import('./clients').Client} client
   * @param {import('./workloads').Workload} workload
   * @param {object | null} profile
   * @private
   */
  keep(client, workload, profile) {
    if (this.options.keep !== undefined) {
      fs.mkdirSync(this.options.keep, { recursive: true });
      fs.writeFileSync(path.join(this.options.keep, `${workload.id}-${client.id}.cpuprofile`), JSON.stringify(profile));
    }
  }
}

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) {
    console.log(USAGE);
    return;
  }
  const server = await startServer();
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-profile-'));
  try {
    const measured = await profileAll(options, server.address, scratch);
    console.log(measured);
    if (options.write) {
      fs.writeFileSync(RESULT, withMeasured(fs.existsSync(RESULT) ? fs.readFileSync(RESULT, 'utf8') : '', measured));
    }
  } finally {
    fs.rmSync(scratch, { recursive: true });
    await server.stop();
  }
}

/**
 * @param {import('./lib/profile/options').Options} options
 * @param {import('./lib/server-process').ServerAddress} server
 * @param {string} scratch
 * @returns {Promise<string>} Markdown
 */
async function profileAll(options, server, scratch) {
  const perf = options.perf ? perfProblem() : 'it was not asked for';
  const profiler = new ClientProfiler(options, server, scratch, perf === null);
  const parts = [conditions(options, perf)];
  for (const workload of options.workloads) {
    parts.push(`## ${workload.title}`);
    for (const client of options.clients) {
      parts.push(await profiler.section(client, workload));
    }
  }
  return parts.join('\n\n');
}

/**
 * @param {import('./lib/profile/options').Options} options
 * @param {string | null} perf why perf is not used
 * @returns {string}
 */
function conditions({ node, clients }, perf) {
  const machine = describeMachine(node, clients);
  const versions = [`Node ${machine.node}`, ...Object.entries(machine.packages).map((entry) => entry.join(' '))];
  return [
    `- Command: \`${['node', 'bench/profile.js', ...process.argv.slice(2)].join(' ')}\``,
    `- Date: ${new Date().toISOString().slice(0, 10)}`,
    `- Machine: ${machine.cpu}, ${machine.cores} processors, ${machine.system}`,
    `- ${versions.join(', ')}`,
    ...(perf === null ? [] : [`- No native profile: ${perf}`]),
  ].join('\n');
}

/**
 * @param {string} before the file as it was
 * @param {string} measured
 * @returns {string}
 */
function withMeasured(before, measured) {
  const section = `${BEGIN}\n\n${measured}\n\n${END}`;
  const start = before.indexOf(BEGIN);
  const end = before.indexOf(END);
  if (start === -1 || end === -1) {
    return `# Where the time of a request goes\n\n${section}\n${before && `\n${before}`}`;
  }
  return `${before.slice(0, start)}${section}${before.slice(end + END.length)}`;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
