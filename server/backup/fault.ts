/** What keeps a backup from being made, proven or restored; the message is one sentence for the admin. */
export class BackupFault extends Error {
  override readonly name = 'BackupFault'
}

/** The sentence of an error for people: what the system says about files, in plain words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const known = reasons[code]
  if (known !== undefined) return known
  return error instanceof Error ? error.message : String(error)
}

const reasons: Record<string, string> = {
  ENOENT: 'it is not there',
  ENOTDIR: 'a part of this name is a file',
  EEXIST: 'a part of this name is a file',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EFBIG: 'a file is larger than this disk can hold (FAT ends at 4 GB: format it anew)',
  EDQUOT: 'the space for this user is used up',
  EIO: 'the disk or the share has a fault',
  EHOSTDOWN: 'the PC with the share is off',
  ESTALE: 'the share is gone',
  ETIMEDOUT: 'it does not answer',
}
