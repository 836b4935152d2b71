/**
 * ferrequest can stand wherever node:http and node:https stand, and its parts wherever theirs do.
 * The compiler decides these tests, none of which runs: one fails by an error, or by an expected error that is missing.
 */
import ferrequest = require('ferrequest');
import ferrequestHttps = require('ferrequest/https');
import http = require('node:http');
import https = require('node:https');

/** Compiles if, and only if, a value of type From can be used as a To. */
type Assignable<From extends To, To> = From;

export type Modules = [
  Assignable<typeof ferrequest, typeof http>,
  Assignable<typeof ferrequestHttps, typeof https>,
];

export type Instances = [
  Assignable<ferrequest.ClientRequest, http.ClientRequest>,
  Assignable<ferrequest.ClientResponse, http.IncomingMessage>,
  Assignable<ferrequest.RequestOptions, http.RequestOptions>,
  Assignable<ferrequest.AgentOptions, http.AgentOptions>,
];

/** What agents of ferrequest have beyond those of Node. */
type Beyond = 'getCurrentStatus' | 'stats';

// Objects of node:http can be handed to ferrequest, and the other way round.
export type BothWays = [
  Assignable<ferrequest.Agent, http.Agent>,
  Assignable<keyof ferrequest.Agent, keyof http.Agent | Beyond>,
  Assignable<http.Agent, NonNullable<ferrequest.RequestOptions['agent']>>,
  Assignable<ferrequestHttps.Agent, https.Agent>,
  Assignable<keyof ferrequestHttps.Agent, keyof https.Agent | Beyond>,
  Assignable<http.RequestOptions, ferrequest.RequestOptions>,
  Assignable<http.AgentOptions, ferrequest.AgentOptions>,
  Assignable<https.AgentOptions, ferrequestHttps.AgentOptions>,
];

// The classes that ferrequest does not replace are the very same.
export type Same = [
  Assignable<typeof ferrequest.IncomingMessage, typeof http.IncomingMessage>,
  Assignable<typeof http.IncomingMessage, typeof ferrequest.IncomingMessage>,
  Assignable<typeof ferrequest.Server, typeof http.Server>,
  Assignable<typeof http.Server, typeof ferrequest.Server>,
  Assignable<typeof ferrequest.OutgoingMessage, typeof http.OutgoingMessage>,
  Assignable<typeof http.OutgoingMessage, typeof ferrequest.OutgoingMessage>,
];

// node:http cannot stand for ferrequest: it has no counters, and its response need not have a status.
// @ts-expect-error
export type NoStats = Assignable<typeof http, typeof ferrequest>;
// @ts-expect-error
export type NoStatus = Assignable<http.IncomingMessage, ferrequest.ClientResponse>;

export function takesEither(agent: http.Agent | https.Agent, url: URL): void {
  ferrequest.get(url, { agent }, (response: http.IncomingMessage) => response.resume());
  ferrequest.request(url, (response: ferrequest.ClientResponse) => response.resume()).end();
  http.get(url, { agent: new ferrequest.Agent({ keepAlive: true }) });
  https.get(url, { agent: new ferrequestHttps.Agent({ maxCachedSessions: 0 }) });
  const client: typeof http = ferrequest;
  client.globalAgent = new http.Agent();
  client.globalAgent = new ferrequest.Agent();
}
