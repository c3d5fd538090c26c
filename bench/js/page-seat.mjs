// page-seat.mjs - a contender in a page
// SPDX-License-Identifier: MIT OR Apache-2.0
import { Seat } from './seat.mjs';

globalThis.seat = new Seat({
  page: true,
  load: (path) => import(`/${path}`),
  bytes: async (path) => {
    const response = await fetch(`/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  },
});
