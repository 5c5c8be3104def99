/** Files that are either the old or the new one, whatever happens while they are written. */
import { open, rename } from 'node:fs/promises'
import path from 'node:path'

/**
 * Writes a file: beside its place first, on disk, then moved there.
 * @param mode who can read it; else its owner only
 */
export async function writeDurably(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const next = `${file}.new`
  const handle = await open(next, 'w', mode)
  try {
    await handle.chmod(mode) // a leftover of an interrupted write may have had other rights
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(next, file)
  await syncFolder(path.dirname(file))
}

/** Makes what happened in a folder (new names, moves) durable. Windows has no such call and does not need it. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
