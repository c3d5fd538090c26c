// errors.ts - what goes wrong, with the library's number and its name
// SPDX-License-Identifier: MIT OR Apache-2.0

const NAMES = ('OK INVALID MEMORY FULL NOT_FOUND EXISTS VECTOR FETCH FORMAT CORRUPT MISMATCH ' +
  'READ_ONLY BUSY NO_VECTORS BUILD UNSUPPORTED WRITE SESSION KEY OPEN DELETED').split(' ');

/** What failed changed nothing; of many keys, those before it are in. */
export class NighError extends Error {
  /** The name of `status` in nigh.h, such as 'NIGH_E_EXISTS'. */
  readonly code: string;

  constructor(
    /** The library's number, NIGH_E_* of nigh.h. */
    readonly status: number,
    message: string,
    /** Of many keys or queries: how many were done before the one that failed. */
    readonly done = 0,
  ) {
    super(message);
    this.code = 'NIGH_E_' + (NAMES[-status] ?? 'USER');
  }
}
NighError.prototype.name = 'NighError';

export function fail(status: number, message: string, done = 0): never {
  throw new NighError(status, message, done);
}
