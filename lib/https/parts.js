'use strict';

/** Collects what requests by https need, and what is loaded with the first of them. */

const { urlToHttpOptions } = require('node:url');

const keepAlive = require('../agent/keep-alive');
const { OriginNames } = require('../agent/origin-names');
const pool = require('../agent/pool');
const { serve } = require('../agent/serving');
const nativeTls = require('./native-tls');
const { Agent: NodeAgent, getName: getNodeName } = require('./originals');
const { isKnownToNode } = require('../proxy/config');
const identity = require('./server-identity');
const tunnels = require('./proxy-tunnel');
const { PolicyNames } = require('./tls-policy');
const { refuseNulInHost } = require('../node/validators');
const { isUrl } = require('../request/request-options');

/** Names of the origins of one agent for https. */
class HttpsOriginNames extends OriginNames {
  /** @override */
  find(agent, options, authority) {
    // The name of a request that must not share a connection is another one each time.
    if (options[identity.kOwnIdentityCheck]) return undefined;
    // A library may have put its own in place of the one that ours adds to.
    if (NodeAgent.prototype.getName !== getNodeName) return undefined;
    return super.find(agent, options, authority);
  }
}

module.exports = {
  HttpsOriginNames,
  identity,
  isKnownToNode,
  isUrl,
  keepAlive,
  nativeTls,
  policies: new PolicyNames(getNodeName),
  pool,
  refuseNulInHost,
  serve,
  tunnels,
  urlToHttpOptions,
};
