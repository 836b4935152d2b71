'use strict';

/**
 * Finds the C library of the process, which decides on Linux which build of the addon can load.
 *
 * The program names its dynamic loader, and that is one of the C library. Reading the name takes a tenth of a
 * millisecond; a diagnostic report takes 5, and before Node 20.13 it looks up the names of all peers too.
 */

const { dynamicLoader } = require('./elf');

/**
 * Finds the C library of the process.
 * @returns {'glibc'|'musl'|undefined} Undefined on a system with a single one, and where it is neither.
 */
function libcFamily() {
  if (process.platform !== 'linux') return undefined;
  const loader = dynamicLoader(process.execPath);
  if (loader !== undefined) {
    // By hand, as a pattern takes long to compile.
    const name = loader.slice(loader.lastIndexOf('/') + 1);
    if (loader.includes('musl')) return 'musl';
    if ((name.startsWith('ld-linux') || name.startsWith('ld64')) && name.includes('.so')) return 'glibc';
  }
  const header = reportHeader();
  if (header === undefined) return undefined;
  return header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/**
 * Finds the version of the GNU C library that the process runs with.
 * @returns {string|undefined} Such as `2.36`; undefined with another C library.
 */
function glibcVersion() {
  if (process.platform !== 'linux') return undefined;
  const header = reportHeader();
  return header && header.glibcVersionRuntime;
}

/**
 * Makes a diagnostic report without the parts that take long.
 * @returns {{ glibcVersionRuntime?: string }|undefined} Undefined where there are no reports.
 */
function reportHeader() {
  const { report } = process;
  if (!report || typeof report.getReport !== 'function') return undefined;
  const { excludeNetwork } = report;
  try {
    report.excludeNetwork = true;
    const made = report.getReport();
    return (typeof made === 'string' ? JSON.parse(made) : made).header;
  } catch (_error) {
    return undefined;
  } finally {
    if (excludeNetwork === undefined) delete report.excludeNetwork;
    else report.excludeNetwork = excludeNetwork;
  }
}

module.exports = { glibcVersion, libcFamily };
