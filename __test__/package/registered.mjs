// Run by scripts/test-package.mjs with `--import ferrequest/register`.
import assert from 'node:assert/strict';
import http, { ClientRequest, request } from 'node:http';
import { request as httpsRequest } from 'node:https';
import ferrequest from 'ferrequest';
import https from 'ferrequest/https';

assert.equal(request, ferrequest.request);
assert.equal(ClientRequest, ferrequest.ClientRequest);
assert.equal(http.get, ferrequest.get);
assert.equal(httpsRequest, https.request);
console.log('ok   --import ferrequest/register replaces the client');
