'use strict';

/**
 * The servers that the world runs, each with a configuration of its own. All serve the same: files of a folder, and
 * what is below /app/ from an origin behind them, if they can.
 *
 * @typedef {object} Place what a configuration is made for
 * @property {string} folder of the server's own; files/ in it is what it serves
 * @property {{ plain: number, brief: number, tls: number, mutual: number }} ports of 127.0.0.1. At `brief` an idle
 *   connection is closed after a second; `tls` and `mutual` speak TLS, and `mutual` wants a certificate of the client
 * @property {number} origin the port of the origin
 * @property {number} mostRequests what a connection serves at most, where the server has such a limit
 *
 * @typedef {object} Kind
 * @property {string} name
 * @property {string} command
 * @property {string[]} packages of Debian that have it
 * @property {boolean} [hasNoOrigin] true if it serves nothing but files
 * @property {boolean} [breaksTrailers] true if it hands on trailers in a form that the parser of Node refuses
 * @property {(place: Place) => string} configuration
 * @property {(file: string, place: Place) => string[]} args of the command
 */

/** Most bytes of the body of a request. */
const MOST_BYTES = 1024 * 1024;

const isRoot = process.getuid?.() === 0;

/** @type {Kind} */
const nginx = {
  name: 'nginx',
  command: 'nginx',
  packages: ['nginx-light'],
  configuration({ folder, ports, origin, mostRequests }) {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const server = (port, lines) => `
      server {
        listen 127.0.0.1:${port};
        ${lines}
        root ${folder}/files;
        location /slow/ { alias ${folder}/files/; limit_rate 200k; }
        location /app/ {
          proxy_pass http://127.0.0.1:${origin};
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_buffering off;
        }
      }`;
    return `
      daemon off;
      worker_processes 1;
      ${isRoot ? 'user root;' : ''}
      pid ${folder}/pid;
      events { worker_connections 512; }
      http {
        access_log off;
        keepalive_requests ${mostRequests};
        client_max_body_size ${MOST_BYTES};
        ssl_certificate ${folder}/cert.pem;
        ssl_certificate_key ${folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
        ${server(ports.plain, '')}
        ${server(ports.brief, 'keepalive_timeout 1s;')}
        ${server(`${ports.tls} ssl`, '')}
        ${server(`${ports.mutual} ssl`, `ssl_verify_client on; ssl_client_certificate ${folder}/ca.pem;`)}
      }`;
  },
  args: (file, { folder }) => ['-p', folder, '-c', file, '-e', `${folder}/error.log`],
};

/** @type {Kind} */
const apache = {
  name: 'Apache httpd',
  command: 'apache2',
  packages: ['apache2-bin'],
  configuration({ folder, ports, origin, mostRequests }) {
    const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'rewrite', 'ssl', 'socache_shmcb'];
    const secure = `SSLEngine on
      SSLCertificateFile ${folder}/cert.pem
      SSLCertificateKeyFile ${folder}/key.pem
      SSLProtocol TLSv1.2 +TLSv1.3`;
    const host = (port, lines) => `
      <VirtualHost 127.0.0.1:${port}>
        RewriteEngine On
        RewriteCond expr "%{HTTP:Content-Length} -gt ${MOST_BYTES}"
        RewriteRule ^ - [R=413,L]
        ProxyPass /app/ http://127.0.0.1:${origin}/app/ flushpackets=on
        ${lines}
      </VirtualHost>`;
    return `
      ServerRoot ${folder}
      ServerName localhost
      PidFile ${folder}/pid
      DefaultRuntimeDir ${folder}
      ErrorLog ${folder}/error.log
      ${isRoot ? 'User www-data\nGroup www-data' : ''}
      ${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
      ${Object.values(ports).map((port) => `Listen 127.0.0.1:${port}`).join('\n')}
      DocumentRoot ${folder}/files
      KeepAlive On
      KeepAliveTimeout 60
      MaxKeepAliveRequests ${mostRequests}
      ${host(ports.plain, '')}
      ${host(ports.brief, 'KeepAliveTimeout 1')}
      ${host(ports.tls, secure)}
      ${host(ports.mutual, `${secure}\nSSLVerifyClient require\nSSLCACertificateFile ${folder}/ca.pem`)}
      `;
  },
  args: (file) => ['-f', file, '-DFOREGROUND'],
};

/** @type {Kind} */
const haproxy = {
  name: 'HAProxy',
  command: 'haproxy',
  packages: ['haproxy'],
  configuration({ folder, ports, origin }) {
    const secure = `ssl crt ${folder}/both.pem ssl-min-ver TLSv1.2 alpn http/1.1`;
    return `
      global
        maxconn 500
      defaults
        mode http
        timeout connect 30s
        timeout client 60s
        timeout server 60s
        timeout http-keep-alive 60s
        default_backend origin
      frontend lasting
        bind 127.0.0.1:${ports.plain}
        bind 127.0.0.1:${ports.tls} ${secure}
        bind 127.0.0.1:${ports.mutual} ${secure} verify required ca-file ${folder}/ca.pem
        http-request deny deny_status 413 if { req.body_size gt ${MOST_BYTES} }
      frontend brief
        bind 127.0.0.1:${ports.brief}
        timeout http-keep-alive 1s
        http-request deny deny_status 413 if { req.body_size gt ${MOST_BYTES} }
      backend origin
        server origin 127.0.0.1:${origin}\n`;
  },
  args: (file) => ['-db', '-f', file],
};

/** @type {Kind} */
const lighttpd = {
  name: 'lighttpd',
  command: 'lighttpd',
  packages: ['lighttpd', 'lighttpd-mod-openssl'],
  breaksTrailers: true,
  configuration({ folder, ports, origin, mostRequests }) {
    const secure = (port, lines) => `
      $SERVER["socket"] == "127.0.0.1:${port}" {
        ssl.engine = "enable"
        ssl.pemfile = "${folder}/cert.pem"
        ssl.privkey = "${folder}/key.pem"
        ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.2")
        ${lines}
      }`;
    return `
      server.modules = ("mod_openssl", "mod_proxy")
      server.document-root = "${folder}/files"
      server.errorlog = "${folder}/error.log"
      server.bind = "127.0.0.1"
      server.port = ${ports.plain}
      server.max-keep-alive-requests = ${mostRequests}
      server.max-keep-alive-idle = 60
      server.max-request-size = ${MOST_BYTES / 1024}
      server.stream-request-body = 2
      server.stream-response-body = 2
      $SERVER["socket"] == "127.0.0.1:${ports.brief}" {
        server.max-keep-alive-idle = 1
      }
      ${secure(ports.tls, '')}
      ${secure(ports.mutual, `
        ssl.verifyclient.activate = "enable"
        ssl.verifyclient.enforce = "enable"
        ssl.ca-file = "${folder}/ca.pem"`)}
      $HTTP["url"] =~ "^/app/" {
        proxy.server = ("" => (("host" => "127.0.0.1", "port" => ${origin})))
      }`;
  },
  args: (file) => ['-D', '-f', file],
};

/** Speaks HTTP/1.0 at `plain` and over TLS, and HTTP/1.1 at `brief`. @type {Kind} */
const python = {
  name: 'Python\'s http.server',
  command: 'python3',
  packages: ['python3-minimal'],
  hasNoOrigin: true,
  configuration: ({ folder, ports }) => `
import functools, http.server, ssl, threading

class Lasting(http.server.SimpleHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    timeout = 1

def serve(port, handler, context=None):
    handler = functools.partial(handler, directory='${folder}/files')
    server = http.server.ThreadingHTTPServer(('127.0.0.1', port), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()

def secure():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain('${folder}/cert.pem', '${folder}/key.pem')
    return context

mutual = secure()
mutual.verify_mode = ssl.CERT_REQUIRED
mutual.load_verify_locations('${folder}/ca.pem')
serve(${ports.plain}, http.server.SimpleHTTPRequestHandler)
serve(${ports.brief}, Lasting)
serve(${ports.tls}, http.server.SimpleHTTPRequestHandler, secure())
serve(${ports.mutual}, http.server.SimpleHTTPRequestHandler, mutual)
`,
  args: (file) => [file],
};

module.exports = { MOST_BYTES, kinds: [nginx, apache, haproxy, lighttpd, python] };
