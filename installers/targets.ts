/** The computers that Lanthorn is made for. A further one is a line here and its pins in parts/pins.ts. */

export type TargetName = 'linux-x64' | 'linux-arm64' | 'win-x64' | 'darwin-x64' | 'darwin-arm64'

export interface Target {
  readonly name: TargetName
  /** As `process.platform` says it. */
  readonly os: 'linux' | 'win32' | 'darwin'
  /** As `process.arch` says it. */
  readonly arch: 'x64' | 'arm64'
}

export const targets: readonly Target[] = [
  { name: 'linux-x64', os: 'linux', arch: 'x64' },
  { name: 'linux-arm64', os: 'linux', arch: 'arm64' },
  { name: 'win-x64', os: 'win32', arch: 'x64' },
  { name: 'darwin-x64', os: 'darwin', arch: 'x64' },
  { name: 'darwin-arm64', os: 'darwin', arch: 'arm64' },
]

/** The target of this name. @throws Error that names those there are */
export function targetNamed(name: string): Target {
  const found = targets.find(target => target.name === name)
  if (found) return found
  throw new Error(`There is no target ${name}: choose one of ${targets.map(target => target.name).join(', ')}.`)
}

/** What this computer is; undefined when Lanthorn is not made for it. */
export function targetHere(): Target | undefined {
  return targets.find(target => isHere(target))
}

/** Whether programs of this target run on this computer. */
export function isHere(target: Target): boolean {
  return target.os === process.platform && target.arch === process.arch
}

/** 'node' → 'node.exe' where programs end so. */
export function programFile(target: Target, name: string): string {
  return target.os === 'win32' ? `${name}.exe` : name
}
