import { defineConfig, type Plugin } from 'vite';

// Script and style move into the page itself: one file. The marker of the data stands before the script, which runs when the page is read.
function oneFile(): Plugin {
  return {
    name: 'one-file',
    enforce: 'post',
    generateBundle(_, bundle) {
      const page = Object.values(bundle).find((f) => f.fileName.endsWith('.html'));
      if (!page || page.type !== 'asset') throw new Error('the bundle has no page');
      let html = String(page.source);
      for (const f of Object.values(bundle)) {
        if (f === page) continue;
        const code = f.type === 'chunk' ? f.code : String(f.source);
        if (f.type === 'chunk')
          html = html.replace(/<script type="module"[^>]*><\/script>\s*/, '')
            .replace('</body>', () => `<script type="module">${code.replace(/<\/script/g, '<\\/script')}</script>\n</body>`);
        else html = html.replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${code}</style>`);
        delete bundle[f.fileName];
      }
      page.source = html;
    },
  };
}

export default defineConfig({
  plugins: [oneFile()],
  build: { target: 'es2022', assetsInlineLimit: 1 << 20, cssCodeSplit: false, modulePreload: false },
});
