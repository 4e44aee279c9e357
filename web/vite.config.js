import { defineConfig } from 'vite'

const SERVER = 'http://127.0.0.1:8080'

/** `scripts/build.mjs` builds with it, and says where to. `npx vite web` serves the sources, beside a server on port 8080. */
export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that a proxy may serve the page under any path.
  base: './',
  logLevel: 'warn',
  build: {
    // The build script names an empty folder outside web/.
    emptyOutDir: true,
    // What is inlined as a data: URL is what the page's policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    chunkSizeWarningLimit: 1000,
  },
  server: { proxy: Object.fromEntries(['/info', '/classify', '/embed', '/docs'].map((path) => [path, SERVER])) },
})
