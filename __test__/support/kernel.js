'use strict';

/** The kernel's tables (Linux) tell about this process's TCP sockets. */

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');

// <netinet/in.h>, <netinet/tcp.h>, <asm/socket.h> of Linux
const OPTIONS = {
  SO_KEEPALIVE: '1:9',
  TCP_NODELAY: '6:1',
  TCP_KEEPIDLE: '6:4',
  TCP_KEEPINTVL: '6:5',
  TCP_KEEPCNT: '6:6',
  IP_TOS: '0:1',
};

/**
 * @param {number} localPort
 * @param {number} remotePort
 * @param {'tcp' | 'tcp6'} table
 * @returns {{ inode: string, receiveQueue: number } | undefined} its row in the kernel's table (proc_net_tcp(5))
 */
function connectionRow(localPort, remotePort, table = 'tcp') {
  const ends = [localPort, remotePort].map((port) => port.toString(16).toUpperCase().padStart(4, '0'));
  for (const line of fs.readFileSync(`/proc/self/net/${table}`, 'latin1').split('\n')) {
    const columns = line.trim().split(/\s+/);
    // Inode 0: the process has closed its end, the kernel is still at it.
    if (columns[1]?.endsWith(`:${ends[0]}`) && columns[2]?.endsWith(`:${ends[1]}`) && columns[9] !== '0') {
      return { inode: columns[9], receiveQueue: parseInt(columns[4].split(':')[1], 16) };
    }
  }
  return undefined;
}

/**
 * @param {import('node:net').Socket} socket connected to a peer on this machine
 * @returns {boolean} true when the peer has read all that arrived at its end
 */
function peerHasReadAll({ localPort, remotePort, remoteAddress }) {
  // No port: a Unix domain socket, for which the kernel has no such table.
  if (process.platform !== 'linux' || remotePort === undefined) return true;
  const isIPv6 = remoteAddress.includes(':') && !remoteAddress.startsWith('::ffff:');
  const row = connectionRow(remotePort, localPort, isIPv6 ? 'tcp6' : 'tcp');
  return row === undefined || row.receiveQueue === 0;
}

/**
 * @param {import('node:net').Socket} socket an IPv4 one of this process
 * @returns {number} count of bytes that have arrived for the socket and are not read
 */
function unreadBytes({ localPort, remotePort }) {
  return connectionRow(localPort, remotePort)?.receiveQueue ?? 0;
}

/**
 * Reads options of an IPv4 socket of this process with getsockopt(2), which Node does not offer: a child process that
 * inherits the descriptor asks the kernel (perl is part of every Debian; it needs no module for this).
 * @param {number} localPort
 * @param {number} remotePort
 * @returns {Record<keyof OPTIONS, number>}
 */
function socketOptions(localPort, remotePort) {
  const row = connectionRow(localPort, remotePort);
  if (!row) throw new Error(`no connection from port ${localPort} to port ${remotePort}`);
  const fd = descriptorOf(row.inode);
  const script = 'open(S, "+<&=", 3) or die $!;' +
    'for (@ARGV) { my ($level, $name) = split /:/; print unpack("i", getsockopt(S, $level, $name)), "\\n" }';
  const child = spawnSync('perl', ['-e', script, ...Object.values(OPTIONS)], { stdio: ['ignore', 'pipe', 'pipe', fd] });
  if (child.error) throw child.error;
  if (child.status !== 0) throw new Error(`perl failed: ${child.stderr}`);
  const values = child.stdout.toString().trim().split('\n').map(Number);
  return Object.fromEntries(Object.keys(OPTIONS).map((name, index) => [name, values[index]]));
}

/** @returns {number} the descriptor in this process of the socket with that inode */
function descriptorOf(inode) {
  for (const fd of fs.readdirSync('/proc/self/fd')) {
    try {
      if (fs.readlinkSync(`/proc/self/fd/${fd}`) === `socket:[${inode}]`) return Number(fd);
    } catch (error) {
      // A descriptor can be closed between the listing and the look at it.
      if (error.code !== 'ENOENT') throw error;
    }
  }
  throw new Error(`no descriptor for socket inode ${inode}`);
}

module.exports = { peerHasReadAll, socketOptions, unreadBytes };
