'use strict';

/** What must not happen in a storm, and the counts of what happened. */

/** Kinds of breaches. Each must be counted 0 times. */
const BREACHES = {
  lost: 'closed, and neither answer nor error came',
  doubled: 'came to the server more than once',
  corrupted: 'had other bytes, another answer, or events out of order',
  forged: 'got bytes that were there before the request was made',
  truncated: 'ended as if whole, and was not',
  dropped: 'failed although its whole answer was on its way',
  miscoded: 'failed with an error that the plan does not have',
  hung: 'did not close before the deadline',
  leaked: 'left a socket, a descriptor or a handle behind',
};

/** Codes of errors of connections that end. */
const CONNECTION_ENDED = new Set(['ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE',
  'ENOTCONN', 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING', 'ERR_STREAM_WRITE_AFTER_END']);

/** Codes of errors that garbage in place of a TLS handshake makes. */
const NO_TLS = /^(?:ERR_SSL_|EPROTO$)/;

/** Most breaches of which a verdict keeps the words. */
const MOST_EXAMPLES = 40;

/**
 * Says what a user has heard in the end.
 * @param {import('./client-exchange').Heard} heard
 * @returns {string}
 */
function outcomeOf(heard) {
  if (heard.isHung) return 'hung';
  if (heard.hasEnd && heard.isComplete) return heard.error ? `whole, and ${heard.error}` : 'whole';
  const error = heard.error ?? heard.responseError;
  if (heard.hasActed) return heard.hasResponse ? 'called off in the response' : 'called off';
  if (heard.hasResponse) return `cut: ${error ?? 'no error'}`;
  return error ?? 'closed';
}

class Verdict {
  constructor() {
    this.requests = 0;
    this.breaches = Object.fromEntries(Object.keys(BREACHES).map((name) => [name, 0]));
    /** Counts by outcome. @type {Record<string, number>} */
    this.outcomes = {};
    /** Words for the first breaches. @type {string[]} */
    this.examples = [];
    /** Requests that were made before bytes came on their connection for which no request had asked. */
    this.raced = 0;
    /** Requests that went out behind such bytes, and of which no user has got any of them. */
    this.behind = 0;
    /** Requests whose error is not the plan's, but of a connection that ended while it idled. */
    this.stale = 0;
  }

  /**
   * @param {keyof typeof BREACHES} name
   * @param {string} what
   */
  breach(name, what) {
    this.breaches[name]++;
    if (this.examples.length < MOST_EXAMPLES) this.examples.push(`${name}: ${what}`);
  }

  /** @returns {number} the count of all breaches */
  get total() {
    return Object.values(this.breaches).reduce((sum, count) => sum + count, 0);
  }

  /**
   * Judges a request by what its user has heard and what the server has seen.
   * @param {import('./client-exchange').Heard} heard
   * @param {{ seen: number, isAnswered: boolean, forgery?: { at: bigint, bytes: string },
   *   complaints: string[] } | undefined} entry
   * @param {{ at: bigint, bytes: string }} [forgeryOnPort] unasked bytes on the connection of a request that the server
   *   has not seen
   */
  judge(heard, entry, forgeryOnPort) {
    this.requests++;
    const outcome = outcomeOf(heard);
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    const name = nameOf(heard);
    for (const complaint of entry?.complaints ?? []) this.breach('corrupted', `${name}: ${complaint}`);
    if (entry?.seen > 1) this.breach('doubled', `${name} came ${entry.seen} times`);
    const forgery = entry ? entry.forgery : this.#unseen(heard, forgeryOnPort);
    if (forgery !== undefined) {
      // Bytes that came when the request was already made are indistinguishable from an answer.
      if (forgery.at >= heard.madeAt) this.raced++;
      else if (heard.isForged) this.breach('forged', `${name} got ${JSON.stringify(forgery.bytes)}: ${outcome}`);
      else this.behind++;
      return;
    }
    if (heard.isForged) this.breach('forged', `${name} got unasked bytes`);
    this.#judgeEvents(heard, entry, `${name}, outcome: ${outcome}`);
  }

  /** Unasked bytes that may have made a request fail before the server saw it. */
  #unseen({ error, responseError, isForged }, forgery) {
    return isForged || (error ?? responseError)?.startsWith('HPE_') ? forgery : undefined;
  }

  #judgeEvents(heard, entry, name) {
    const { plan } = heard;
    for (const what of heard.wrong) this.breach('corrupted', `${name}: ${what}`);
    if (heard.isHung) {
      this.breach('hung', `${name}${entry ? '' : ', never came'}: ${heard.stuckAt}`);
    } else if (heard.hasEnd && heard.isComplete) {
      this.#judgeWhole(heard, name);
    } else if (!heard.hasActed && plan.action.kind !== 'unheard') {
      const error = heard.error ?? heard.responseError;
      if (error === undefined) this.breach('lost', name);
      else this.#judgeError(heard, entry, error, name);
    }
  }

  #judgeWhole({ plan, isBodyWhole }, name) {
    if (plan.outcome === 'error' || plan.outcome === 'refused' || plan.outcome === 'silence') {
      this.breach('truncated', name);
    } else if (!isBodyWhole) {
      this.breach('corrupted', `${name}: not the whole body`);
    }
  }

  #judgeError({ plan, refused }, entry, error, name) {
    const detail = refused === undefined ? error : `${error} at ${JSON.stringify(refused)}`;
    if (plan.outcome === 'whole' && entry?.isAnswered) {
      this.breach('dropped', `${name}: ${detail}`);
      return;
    }
    const isPlanned = plan.outcome === 'refused' || plan.port === 'garbage' || plan.fault === 'length too small' ?
      error.startsWith('HPE_') || NO_TLS.test(error) : false;
    if (isPlanned) return;
    if (!CONNECTION_ENDED.has(error)) this.breach('miscoded', `${name}: ${detail}`);
    else if (plan.outcome === 'whole') this.stale++;
  }
}

function nameOf({ plan }) {
  return `request ${plan.id} (${plan.transport}, ${plan.method}, ${plan.fault}, ${plan.action.kind})`;
}

module.exports = { BREACHES, Verdict };
