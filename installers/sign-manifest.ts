// Publishes a version: writes the list of updates beside its packages, and signs it. `npm run sign -- KEY FOLDER [NOTES]`; a new key: `npm run sign -- --new-key KEY`.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  KEY_NAME,
  MANIFEST_NAME,
  type Manifest,
  type ManifestFile,
  openManifest,
  type PackageKind,
  SIGNATURE_ENDING,
} from '../server/updates/manifest.ts'

const repository = path.join(import.meta.dirname, '..')

/** What a package is, by its name: for which system, and how it is installed. Undefined: it is none. */
export function packageOf(name: string): Pick<ManifestFile, 'target' | 'kind'> | undefined {
  const arch = /arm64|aarch64/i.test(name) ? 'arm64' : 'x64'
  const of = (platform: string, kind: PackageKind) => ({ target: `${platform}-${arch}`, kind })
  if (name.endsWith('.deb')) return of('linux', 'deb')
  if (name.endsWith('.rpm')) return of('linux', 'rpm')
  if (/\.tar\.(gz|xz|zst)$/.test(name)) return of(/mac|darwin/i.test(name) ? 'darwin' : 'linux', 'tar')
  if (/\.(exe|msi)$/.test(name)) return of('win', 'setup')
  return name.endsWith('.pkg') ? of('darwin', 'setup') : undefined
}

/** Makes a key: its secret half goes into `file`, the other one into the program. @param root where the program's package.json lies */
export async function newKey(file: string, root: string = repository): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  await writeFile(path.join(root, KEY_NAME), publicKey.export({ type: 'spki', format: 'pem' }))
  say(`${file} is the key that signs: whoever has it can install anything in every office. Keep it off the network.`)
  say(`${KEY_NAME} is its other half: it becomes part of every package built from here, which then takes updates.`)
}

/**
 * Writes the list of the packages in a folder, and its signature.
 * @param options.notesFile what is new, as text
 * @param options.root where the program's package.json and key lie
 * @throws Error with a sentence
 */
export async function publish(
  keyFile: string,
  folder: string,
  { notesFile, root = repository }: { notesFile?: string | undefined; root?: string } = {},
): Promise<void> {
  const privateKey = createPrivateKey(await readFile(keyFile, 'utf8'))
  const key = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const shipped = path.join(root, KEY_NAME)
  if (!existsSync(shipped) || (await readFile(shipped, 'utf8')) !== key)
    throw new Error(`${keyFile} does not belong to ${KEY_NAME}: no office would take what it signs.`)
  const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { version: string }
  const manifest: Manifest = {
    format: 1,
    version,
    publishedAt: new Date().toISOString(),
    notes: notesFile === undefined ? '' : (await readFile(notesFile, 'utf8')).trim(),
    hazelcast: await hazelcastMinor(),
    files: await filesIn(folder, version),
  }
  const bytes = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)
  const signature = Buffer.from(`${sign(null, bytes, privateKey).toString('base64')}\n`)
  openManifest(bytes, signature, key) // what an office would refuse is not published
  await writeFile(path.join(folder, MANIFEST_NAME), bytes)
  await writeFile(path.join(folder, `${MANIFEST_NAME}${SIGNATURE_ENDING}`), signature)
  for (const { kind, target, name } of manifest.files) say(`${kind.padEnd(6)} ${target.padEnd(13)} ${name}`)
  say(`Version ${version} is signed: put the whole of ${folder} where offices look for updates.`)
}

/** The packages of this version; others in the folder are left out, and said. */
async function filesIn(folder: string, version: string): Promise<ManifestFile[]> {
  const files: ManifestFile[] = []
  for (const name of (await readdir(folder)).sort()) {
    const found = packageOf(name)
    if (!found) continue
    if (!name.includes(version)) {
      say(`${name} is left out: it is not of version ${version}.`)
      continue
    }
    const file = path.join(folder, name)
    files.push({ ...found, name, bytes: (await stat(file)).size, sha256: await sha256Of(file) })
  }
  if (files.length === 0) throw new Error(`There is no package of version ${version} in ${folder}: run “npm run dist”.`)
  return files
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** The generation of Hazelcast that this version brings. */
async function hazelcastMinor(): Promise<string> {
  const pom = await readFile(path.join(import.meta.dirname, 'hazelcast', 'pom.xml'), 'utf8')
  const found = /<hazelcast\.version>(\d+\.\d+)\./.exec(pom)?.[1]
  if (found === undefined) throw new Error('The pom of Hazelcast names no version.')
  return found
}

function say(sentence: string): void {
  process.stdout.write(`${sentence}\n`)
}

if (import.meta.main) {
  const [first, second, notesFile] = process.argv.slice(2)
  try {
    if (first === '--new-key' && second !== undefined) await newKey(path.resolve(second))
    else if (first !== undefined && second !== undefined) await publish(first, second, { notesFile })
    else throw new Error('npm run sign -- KEY FOLDER [NOTES], or for a new key: npm run sign -- --new-key KEY')
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
