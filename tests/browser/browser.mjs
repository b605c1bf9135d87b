// Chromium by playwright-core, fetched by npm into BUILD_DIR/browser. Exit code 77 (skipped), with the reason, where one of them is missing or does
// not start.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const find = (...names) => names.flatMap((n) => (process.env.PATH ?? '').split(':').map((d) => join(d, n))).find(existsSync);

/// For a test of that name: skip(why) ends it, launch() opens a browser.
export const browserFor = (test, build) => {
  const skip = (why) => { console.log(`${test}: skipped, ${why}`); process.exit(77); };
  const executablePath = find('chromium', 'chromium-browser', 'google-chrome');
  if (!executablePath) skip('there is no chromium');
  if (!find('npm')) skip('there is no npm');
  const tools = join(build, 'browser');
  if (!existsSync(join(tools, 'node_modules/playwright-core'))) {
    mkdirSync(tools, { recursive: true });
    for (const f of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(here, f), join(tools, f));
    try {
      execFileSync('npm', ['ci', '--ignore-scripts', '--loglevel=error'], { cwd: tools, stdio: 'pipe', timeout: 240000 });
    } catch { skip('npm could not fetch playwright-core'); }
  }
  const { chromium } = createRequire(join(tools, 'package.json'))('playwright-core');
  const launch = async () => {
    try {
      return await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    } catch (e) { skip(`chromium does not start here: ${String(e.message).split('\n')[0]}`); }
  };
  return { skip, launch };
};
