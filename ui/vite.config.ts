import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// Nothing is inlined: the pages are served under a content security policy without inline scripts, styles or data: images.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  publicDir: false,
  plugins: [svelte({ configFile: false })],
  resolve: { alias: { typebox: fileURLToPath(new URL('no-schemas.ts', import.meta.url)) } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // Browsers of 2020, for offices that cannot choose theirs; src/older-browsers.ts has what cannot be compiled away.
    target: 'chrome83',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    // Of the packages in the pages: installers/stage.ts puts them beside the licences of the others.
    license: { fileName: '.vite/licences.json' },
  },
})
