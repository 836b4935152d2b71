/** The compiler accepts what users write, and finds their mistakes. */
import ferrequest = require('ferrequest');
import ferrequestHttps = require('ferrequest/https');
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Compiles if, and only if, the two types are the same. */
function isExactly<T>() {
  return <U>(_value: U, ..._same: [T] extends [U] ? ([U] extends [T] ? [] : [never]) : [never]): void => {};
}

export function request(): void {
  const req = ferrequest.request('http://localhost/', { method: 'POST', timeout: 1000, highWaterMark: 16384 });
  isExactly<ferrequest.ClientRequest>()(req);
  isExactly<ferrequest.ClientRequest>()(ferrequest.get(new URL('http://localhost/')));
  isExactly<ferrequest.ClientRequest>()(new ferrequest.ClientRequest({ host: 'localhost' }, (res) => res.resume()));

  isExactly<boolean>()(req.write('text'));
  isExactly<boolean>()(req.write('74657874', 'hex', (error) => isExactly<Error | null | undefined>()(error)));
  isExactly<boolean>()(req.write(Buffer.from('text')));
  isExactly<boolean>()(req.write(new Uint8Array([1, 2, 3]), () => {}));
  isExactly<boolean>()(req.write([104, 105]));
  isExactly<boolean>()(req.write([104, 105] as const, 'utf8', () => {}));
  isExactly<ferrequest.ClientRequest>()(req.end([33]));
  isExactly<ferrequest.ClientRequest>()(req.end('!', 'latin1', () => {}));
  isExactly<number>()(req.attempts);
  ferrequest.get({ host: 'localhost', retry: { maxRetries: 1, methods: ['PUT'], body: () => 'text' } });
  ferrequest.get({ host: 'localhost', retry: false, autoSelectFamily: 'race' });
  // @ts-expect-error no number
  ferrequest.get({ host: 'localhost', retry: { maxRetries: '1' } });
  // @ts-expect-error no such encoding
  req.write('text', 'utf-9');
  // @ts-expect-error `rejectUnauthorized` belongs to https
  ferrequest.request({ host: 'localhost', rejectUnauthorized: false });
  // @ts-expect-error a number of milliseconds
  ferrequest.request({ host: 'localhost', timeout: '1s' });
}

export function events(req: ferrequest.ClientRequest): void {
  req.on('response', (response) => {
    isExactly<ferrequest.ClientResponse>()(response);
    isExactly<number>()(response.statusCode);
    isExactly<string>()(response.statusMessage);
  });
  req.once('upgrade', (response, socket, head) => {
    isExactly<ferrequest.ClientResponse>()(response);
    isExactly<Socket>()(socket);
    isExactly<Buffer>()(head);
  });
  req.prependListener('connect', (_response, socket) => isExactly<Socket>()(socket));
  req.prependOnceListener('socket', (socket) => isExactly<Socket>()(socket));
  req.addListener('information', (info) => isExactly<number>()(info.statusCode));
  req.on('error', (error) => isExactly<Error>()(error));
  req.on('an event of a library', (first: number, second: string) => [first, second]);
}

export class Dialer extends ferrequest.Agent {
  override createConnection(_options: ferrequest.RequestOptions, callback: (error: Error | null, socket: Duplex) => void) {
    return super.createConnection({}, callback);
  }
}

export const agent = new ferrequest.Agent({
  agentKeepAliveTimeoutBuffer: 500,
  keepAlive: true,
  keepAliveMsecs: 1000,
  maxFreeSockets: 10,
  maxSockets: 50,
  maxTotalSockets: 100,
  noDelay: true,
  proxyEnv: process.env,
  scheduling: 'fifo',
  timeout: 5000,
});
export const pool = new ferrequest.Agent({
  autoSelectFamily: 'race',
  dns: { cache: true, maxTtl: 10, errorTtl: 0.1, fallbackDuration: 0, maxItems: 10 },
  fairQueue: true,
  retry: { minTimeout: 10 },
  freeSocketTimeout: 4000,
  socketActiveTTL: 60_000,
});
isExactly<number>()(pool.stats().freeSockets);
isExactly<Record<string, number>>()(pool.getCurrentStatus().freeSockets);
// @ts-expect-error neither a race nor a boolean
export const hasty = new ferrequest.Agent({ autoSelectFamily: 'hasty' });
// @ts-expect-error neither first in, first out nor last in, first out
export const random = new ferrequest.Agent({ scheduling: 'random' });

export class Traced extends ferrequest.ClientRequest {
  override end(...args: any[]): this {
    return super.end(args[0]);
  }
}

export function phases(req: ferrequest.ClientRequest, res: ferrequest.ClientResponse): void {
  isExactly<number>()(req.timings.start);
  isExactly<number | undefined>()(res.timings.phases.firstByte);
  const timeouts: ferrequest.Timeouts = { queue: 1, lookup: 1, connect: 1, secureConnect: 1, send: 1, response: 1, read: 1 };
  ferrequest.get({ host: 'localhost', timeouts: { ...timeouts, request: 0 } });
  ferrequestHttps.get({ host: 'localhost', rejectUnauthorized: false, timeouts, agent: new ferrequestHttps.Agent({ timeouts }) });
  // @ts-expect-error got's `socket` is `timeout`
  new ferrequest.Agent({ timeouts: { socket: 1 } });
  req.on('error', (error) => {
    const { phase, port, timings } = error as Error & ferrequest.RequestErrorDetails;
    isExactly<ferrequest.Phase>()(phase);
    isExactly<ferrequest.Timings>()(timings);
    isExactly<number>()(port);
    isExactly<keyof ferrequest.Timeouts>()((error as ferrequest.TimeoutError).event);
  });
}

subscribe('ferrequest:connection:closed', (message) => {
  const { reason, request } = message as ferrequest.DiagnosticsChannels['ferrequest:connection:closed'];
  isExactly<ferrequest.ClosingReason>()(reason);
  isExactly<ferrequest.ClientRequest | null>()(request);
  // @ts-expect-error no such reason
  return reason === 'closed';
});

const counters = ferrequest.stats();
isExactly<ferrequest.Stats>()(counters);
export const total: number = counters.requests + counters.responses;
export const isFallback: boolean = counters.mode === 'node' && counters.reason !== null;

const diagnosis = ferrequest.diagnose();
isExactly<ferrequest.Diagnosis>()(diagnosis);
export const tried: string[] = diagnosis.addon?.attempts.map(({ source, error }) => error?.message ?? source) ?? [];
