'use strict';

/** Implements the part of prom-client that examples/metrics.js needs: https://github.com/siimon/prom-client. */

class Registry {
  constructor() {
    this.all = [];
  }

  /** @returns {Promise<string>} All metrics in the text format of Prometheus. */
  async metrics() {
    return this.all.map((metric) => metric.text()).join('\n');
  }
}

/** Keeps a number for each combination of labels. */
class Metric {
  /** @param {{ name: string, help: string, registers: Registry[], collect?: () => void }} options */
  constructor({ name, help, registers, collect }) {
    Object.assign(this, { name, help, collect });
    /** @type {Map<string, number>} */
    this.values = new Map();
    for (const register of registers) register.all.push(this);
  }

  add(labels, amount, suffix = '') {
    const key = `${this.name}${suffix}{${Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join()}}`;
    this.values.set(key, (this.values.get(key) ?? 0) + amount);
    return key;
  }

  text() {
    this.collect?.();
    const lines = [...this.values].map(([key, value]) => `${key} ${value}`);
    return [`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} ${this.type}`, ...lines, ''].join('\n');
  }
}

class Counter extends Metric {
  type = 'counter';

  inc(labels, amount = 1) {
    this.add(labels, amount);
  }
}

class Gauge extends Counter {
  type = 'gauge';

  dec(labels, amount = 1) {
    this.add(labels, -amount);
  }

  set(labels, value) {
    this.values.set(this.add(labels, 0), value);
  }
}

class Histogram extends Metric {
  type = 'histogram';

  constructor(options) {
    super(options);
    this.buckets = options.buckets;
  }

  observe(labels, value) {
    for (const bucket of this.buckets) this.add({ le: bucket, ...labels }, value <= bucket ? 1 : 0, '_bucket');
    this.add({ le: '+Inf', ...labels }, 1, '_bucket');
    this.add(labels, value, '_sum');
    this.add(labels, 1, '_count');
  }
}

module.exports = { Counter, Gauge, Histogram, Registry };
