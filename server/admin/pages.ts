/** The built admin pages on the admin ports: files of ui/dist, and its index for every address of the single page app. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import files from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { refusal } from './problem.ts'

/**
 * Serves the pages. Files in `assets/` carry a hash of their content in their names and are kept for ever; all others
 * are asked for again each time. An app without built pages answers with a sentence.
 */
export async function servePages(app: FastifyInstance, folder: string): Promise<void> {
  const index = path.join(folder, 'index.html')
  await app.register(files, {
    root: folder,
    wildcard: false,
    serve: false,
    dotfiles: 'ignore',
    cacheControl: false,
    setHeaders: (response, file) => {
      const isHashed = path.relative(folder, file).split(path.sep)[0] === 'assets'
      response.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  app.get('/*', (request, reply) => {
    const wanted = (request.params as { '*': string })['*']
    if (wanted === 'api' || wanted.startsWith('api/')) throw refusal('not-found', 'There is no such endpoint.')
    if (!existsSync(index)) return reply.code(503).type('text/html; charset=utf-8').send(notBuilt)
    // An address of the app has no dot in its last part; a file that is gone must not look like a page.
    const isFile = path.posix.basename(wanted).includes('.')
    return reply.sendFile(isFile ? wanted : 'index.html')
  })
}

const notBuilt = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Lanthorn</title></head>
<body><h1>Lanthorn</h1>
<p>Chat works, but the admin pages are not built yet. Run <code>npm run build</code> in the folder of Lanthorn and load this page again.</p>
</body></html>
`
