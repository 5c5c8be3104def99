/** The Hazelcast member: one file of Maven's, whose version and sum parts.mjs pins. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { bringHazelcast } from '../parts.mjs'
import { root } from '../set-up.mjs'
import { sha256Of } from './fetch.ts'
import type { Part } from './part.ts'
import { readZip } from './zip.ts'

/** Its own words about licences, and those of the libraries that are part of it. */
const texts = /^(META-INF\/)?([\w-]*(LICENSE|NOTICE)[\w-]*)(\.txt)?$/

/** Puts it into runtime/hazelcast, and the licences into runtime/licences/hazelcast. @throws Error with a sentence */
export async function stageHazelcast(runtime: string): Promise<Part> {
  const jar = await bringHazelcast()
  const version = jar && /-(\d+\.\d+\.\d+)\.jar$/.exec(jar)?.[1]
  if (!jar || !version) {
    throw new Error('Hazelcast could not be fetched: install Maven, and check the connection to its repository.')
  }
  const file = path.join(runtime, 'hazelcast', path.basename(jar))
  const licences = path.join(runtime, 'licences', 'hazelcast')
  for (const folder of [path.dirname(file), licences]) await mkdir(folder, { recursive: true })
  await copyFile(jar, file)
  for (const [name, text] of await readZip(jar, name => texts.test(name))) {
    await writeFile(path.join(licences, `${path.basename(name, '.txt')}.txt`), text)
  }
  await copyFile(path.join(root, 'installers', 'licences', 'apache-2.0.txt'), path.join(licences, 'LICENSE.txt'))
  const purl = `pkg:maven/com.hazelcast/hazelcast@${version}`
  return { name: 'Hazelcast', version, licence: 'Apache-2.0', sha256: await sha256Of(file), purl }
}
