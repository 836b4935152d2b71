'use strict';

function ask(request, { url, method, headers, body, form, agent, signal, timeout, ca, socketPath }, kit) {
  return new Promise((resolve, reject) => {
    const isStream = typeof body?.pipe === 'function';
    const sent = request({
      url: socketPath ? `http://unix:${socketPath}:${new URL(url).pathname}` : url,
      method, headers, agent, timeout, ca,
      body: isStream ? undefined : body,
      ...form && { formData: { field: form.field, file: { value: form.file, options: { filename: 'f.txt' } } } },
      followAllRedirects: true,
      gzip: true,
      encoding: null,
      ...kit.given({ httpModules: { 'http:': kit.http, 'https:': kit.https } }),
    }, (error, response) => {
      if (error) reject(error);
      else resolve({ status: response.statusCode, body: response.body });
    });
    if (isStream) body.pipe(sent);
    signal?.addEventListener('abort', () => { sent.abort(); });
    sent.on('abort', () => reject(new Error("'abort'")));
  });
}

module.exports = {
  load: async () => require('request'),
  given: 'transport',
  adapter: {
    ask,
    errors: { timeout: { message: "'abort'" }, aborted: { message: "'abort'" } },
    gives: {
      'decompresses gzip, deflate and br': [true, true, false],
      // It makes an agent's connections other ones for each request, by what it tells of TLS.
      'asks over TLS through a proxy': { asked: Array(2).fill('CONNECT 127.0.0.1:SECURE') },
    },
  },
};
