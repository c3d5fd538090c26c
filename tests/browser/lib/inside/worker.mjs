// worker.mjs - runs the tests of a bundle in a module worker
// SPDX-License-Identifier: MIT OR Apache-2.0
onmessage = async ({ data: url }) => {
  try {
    postMessage({ results: await (await import(url)).run() });
  } catch (error) {
    postMessage({ error: String(error?.stack ?? error) });
  }
};
