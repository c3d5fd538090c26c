// shared.ts - the memory that several threads have in common
// SPDX-License-Identifier: MIT OR Apache-2.0

const PAGES = 65536; // 4 GiB
const FEWEST = 1024;

/** Whether a module is the one for threads: its memory comes from outside. */
export const forThreads = (module: WebAssembly.Module): boolean =>
  WebAssembly.Module.imports(module).some(({ kind }) => kind === 'memory');

/** What such a module imports as "env": a memory that may grow as far as the engine lets it. It is
 * reserved, not taken: small devices refuse 4 GiB. */
export function memoryFor(module: WebAssembly.Module): WebAssembly.ModuleImports {
  if (!forThreads(module)) return {};
  for (let maximum = PAGES; ; maximum /= 2) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 2, maximum, shared: true }) };
    } catch (error) {
      if (maximum <= FEWEST) throw error;
    }
  }
}
