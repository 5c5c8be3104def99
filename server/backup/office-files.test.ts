import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { defaultListen } from '../config.ts'
import { writeDurably } from '../durable-file.ts'
import { openDataFolder } from '../node.ts'
import { gatherOfficeFiles, layOfficeFiles, parseOfficeFiles } from './office-files.ts'

test('A new PC gets who the lost one was, its certificates and secrets, but no password of a database', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'lanthorn-files-'))
  try {
    const own = { certificate: path.join(dir, 'bought.pem'), key: path.join(dir, 'bought.key') }
    for (const [name, file] of Object.entries(own)) await writeFile(file, `bought ${name}`)
    await using lost = await openDataFolder(path.join(dir, 'lost'))
    const listen = { ...defaultListen(), host: '192.0.2.7', c2s: 5555 }
    await lost.update({ domain: 'acme.test', office: 'ACME', listen, tls: own, cluster: { enabled: false } as never })
    const databases = { 'database-url': 'postgresql://u:p@h/d', 'kept-database-url-1': 'x', 'move-url': 'y' }
    await lost.saveSecrets({ 'recovery-key': 'abc', ...databases })
    await mkdir(lost.file('certificates'))
    await writeDurably(lost.file('certificates', 'office-ca.key'), 'authority')
    const text = JSON.stringify(await gatherOfficeFiles(lost))
    expect(text).not.toMatch(/database|move-url|postgresql/)

    await using anew = await openDataFolder(path.join(dir, 'anew'))
    await anew.become(await layOfficeFiles(anew, parseOfficeFiles(text)))
    const { nodeId, nodeName } = lost.state
    expect(anew.state).toMatchObject({ nodeId, nodeName, cluster: { enabled: false } })
    expect(anew.state.epoch).toBeGreaterThan(lost.state.epoch)
    // The address of the lost PC is not one of this PC.
    expect(anew.state.listen).toEqual({ ...listen, host: defaultListen().host })
    expect(anew.secrets()).toEqual({ 'recovery-key': 'abc' })
    expect(await readFile(anew.file('certificates', 'office-ca.key'), 'utf8')).toBe('authority')
    expect(await readFile(anew.state.tls?.key ?? '', 'utf8')).toBe('bought key')
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
