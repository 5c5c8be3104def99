/** Lays the files of a Linux package out as they will be installed. */
import { chmod, copyFile, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { must } from '../parts/fetch.ts'
import { root, run } from '../set-up.mjs'

const ours = path.join(root, 'installers', 'linux')
const linkMs = 60_000

/** Where the program is installed: as in lanthorn.service and the .desktop files. */
const program = 'opt/lanthorn'

/** The server, and what installs its updates with the rights that it has not. */
const units = ['lanthorn.service', 'lanthorn-update.path', 'lanthorn-update.service', 'lanthorn-update-tidy.service']

/** Our files and their places in the tree. */
const places: readonly (readonly [from: string, to: string])[] = [
  ...units.map(name => [path.join(ours, name), `usr/lib/systemd/system/${name}`] as const),
  [path.join(ours, 'lanthorn.desktop'), 'usr/share/applications/lanthorn-desktop.desktop'],
  [path.join(ours, 'autostart.desktop'), 'etc/xdg/autostart/lanthorn-desktop.desktop'],
  [path.join(ours, 'ufw.profile'), 'etc/ufw/applications.d/lanthorn'],
  [path.join(ours, 'firewalld.xml'), 'usr/lib/firewalld/services/lanthorn.xml'],
  [path.join(root, 'app', 'icons', 'lanthorn.png'), 'usr/share/icons/hicolor/512x512/apps/lanthorn.png'],
  [path.join(root, 'ui', 'src', 'look', 'lantern.svg'), 'usr/share/icons/hicolor/scalable/apps/lanthorn.svg'],
]

/** Files that an administrator may change, and that updates then leave alone. */
export const configurationFiles = ['/etc/xdg/autostart/lanthorn-desktop.desktop', '/etc/ufw/applications.d/lanthorn']

/** Fills `tree`, which is made anew, with an unpacked app and everything around it. Files of the app are hard links to those of `app`. */
export async function layOut(app: string, tree: string): Promise<void> {
  await rm(tree, { recursive: true, force: true })
  await mkdir(path.join(tree, path.dirname(program)), { recursive: true })
  await must('lay the program out', run('cp', ['-al', app, path.join(tree, program)], { timeoutMs: linkMs }))
  await makeSandbox(path.join(tree, program, 'chrome-sandbox'))
  // Tells the window that the server is a service of this computer.
  await writeFile(path.join(tree, program, 'resources', 'service.json'), '{ "kind": "systemd" }\n')
  for (const [from, to] of places) await place(await readFile(from), path.join(tree, to))
  for (const name of ['lanthorn', 'lanthorn-desktop']) {
    await mkdir(path.join(tree, 'usr', 'bin'), { recursive: true })
    await symlink(`/${program}/bin/lanthorn`, path.join(tree, 'usr', 'bin', name))
    // Debian Policy 12.1: as small as can be.
    const manual = gzipSync(await readFile(path.join(ours, 'lanthorn.1')), { level: 9 })
    await place(manual, path.join(tree, 'usr', 'share', 'man', 'man1', `${name}.1.gz`))
  }
  await place(Buffer.from(await copyright()), path.join(tree, 'usr', 'share', 'doc', 'lanthorn', 'copyright'))
  await mkdir(path.join(tree, 'etc', 'lanthorn'), { mode: 0o750 })
}

/** Chromium's own helper, which must be root's where the system does not let everybody make namespaces. A copy: the app's own file stays. */
async function makeSandbox(file: string): Promise<void> {
  const copy = `${file}.copy`
  await copyFile(file, copy)
  await rm(file)
  await cp(copy, file)
  await rm(copy)
  await chmod(file, 0o4755)
}

async function place(content: Buffer, file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, content, { mode: 0o644 })
}

async function copyright(): Promise<string> {
  const licence = await readFile(path.join(root, 'LICENSE'), 'utf8')
  return `${licence}\nThe licences of all that is inside are in /${program}/resources/runtime/licences and /${program}/LICENSES.chromium.html.gz.\n`
}
