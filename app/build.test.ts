import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bundleApp } from './build.ts'

test('the shell is one file that needs Electron and nothing else, with its pictures and its version', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-bundle-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await bundleApp(folder)
  const text = await readFile(path.join(folder, 'main.cjs'), 'utf8')
  const needed = [...text.matchAll(/require\("([^"]+)"\)/g)].map(match => match[1] ?? '')
  expect(needed).toContain('electron')
  expect(needed.filter(name => name !== 'electron' && !builtinModules.includes(name))).toEqual([])
  const about = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as Record<string, unknown>
  expect(about).toMatchObject({
    productName: 'Lanthorn',
    main: 'main.cjs',
    version: expect.stringMatching(/^\d+\.\d+/),
  })
  const pictures = await readdir(path.join(folder, 'icons'))
  for (const name of ['ok.png', 'bad-waiting@2x.png', 'warnTemplate.png', 'off.ico', 'lanthorn.png']) {
    expect(pictures).toContain(name)
  }
  expect((await readdir(folder)).sort()).toEqual(['icons', 'main.cjs', 'package.json'])
})
