// tools.mjs - the packages that tools/setup.sh installed, and where things are
// SPDX-License-Identifier: MIT OR Apache-2.0
// Environment, all set by test_browser.py: NIGH_PACKAGE (folder of the built package), NIGH_GOLDEN
// (that of tests/bindings/golden.py), NIGH_COMMAND (nigh), NIGH_TARBALL, NIGH_SHOTS (folder for
// screenshots).
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const TOOLS = join(ROOT, '.cache', 'browser', 'node_modules');
export const INSIDE = fileURLToPath(new URL('inside', import.meta.url));

const { env } = process;
export const PACKAGE = env.NIGH_PACKAGE ?? join(ROOT, 'build', 'browser', 'nigh');
export const GOLDEN = env.NIGH_GOLDEN ?? join(ROOT, 'build', 'bindings');
export const COMMAND = env.NIGH_COMMAND ?? join(ROOT, 'build', 'bindings', 'command', 'nigh');
export const SHOTS = env.NIGH_SHOTS ?? join(ROOT, 'build', 'ci', 'browser');

const require = createRequire(join(TOOLS, 'x'));
export const { chromium } = require('playwright-core');
export const esbuild = require('esbuild');
