/** How the desktop app is put together: electron-builder's configuration. Its packages for Linux and Windows we make ourselves (dist.ts). */
import path from 'node:path'
import type { Configuration } from 'electron-builder'
import type { Electron } from './electron.ts'
import { root } from './set-up.mjs'
import type { Target } from './targets.ts'

export interface BuilderOptions {
  readonly target: Target
  readonly version: string
  readonly electron: Electron
  /** What stage() has filled. */
  readonly runtime: string
  /** What lies beside the program: bin/lanthorn. */
  readonly beside: string
  readonly output: string
  /** Absent: the app starts the server itself (archives, disk images). */
  readonly service?: 'launchd'
}

const installers = path.join(root, 'installers')
const icons = path.join(root, 'app', 'icons')

/** The whole configuration. The shell is the project folder. */
export function builderConfiguration(options: BuilderOptions): Configuration {
  const { target, version, electron, runtime, beside, output, service } = options
  const isMac = target.os === 'darwin'
  return {
    appId: 'org.lanthorn.desktop',
    productName: 'Lanthorn',
    copyright: 'MIT licence',
    electronVersion: electron.version,
    electronDist: electron.folder,
    buildVersion: version,
    // The second: what ties its windows to the entry in the menu of a Linux desktop.
    extraMetadata: { version, desktopName: 'lanthorn-desktop.desktop' },
    // The shell is bundled and has no packages of its own.
    npmRebuild: false,
    nodeGypRebuild: false,
    removePackageScripts: true,
    asar: true,
    electronLanguages: ['en-US'],
    ...fuses(electron),
    directories: { output, buildResources: icons },
    files: ['**/*'],
    extraResources: [
      { from: runtime, to: 'runtime' },
      // On macOS nothing lies beside the resources: all of them are signed.
      ...(isMac ? [{ from: beside, to: 'bin' }] : []),
      ...(service ? [{ from: path.join(installers, 'macos', 'resources'), to: '.' }] : []),
    ],
    ...(isMac ? {} : { extraFiles: [{ from: beside, to: 'bin' }] }),
    publish: null,
    linux: { executableName: 'lanthorn-desktop' },
    win: {
      executableName: 'lanthorn-desktop',
      icon: path.join(icons, 'lanthorn.ico'),
      // Writing the icon into the program needs Windows.
      signAndEditExecutable: process.platform === 'win32',
    },
    mac: macos,
    dmg: { title: 'Lanthorn' },
    pkg: { scripts: path.join(installers, 'macos', 'scripts'), allowCurrentUserHome: false, isRelocatable: false },
  }
}

/** What the program may never be made to do by its environment. Electron of today only: the one for tests has no fuses. */
function fuses(electron: Electron): Configuration {
  if (electron.isForTests) return {}
  return {
    electronFuses: {
      runAsNode: false,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      onlyLoadAppFromAsar: true,
      enableEmbeddedAsarIntegrityValidation: true,
      // Its only cookie is that of a session with the server of this PC, and a keyring would ask people for a password.
      enableCookieEncryption: false,
      grantFileProtocolExtraPrivileges: false,
    },
  }
}

const macos: NonNullable<Configuration['mac']> = {
  category: 'public.app-category.business',
  icon: path.join(icons, 'lanthorn.png'),
  minimumSystemVersion: '13.0',
  hardenedRuntime: true,
  gatekeeperAssess: false,
  entitlements: path.join(installers, 'macos', 'entitlements.plist'),
  entitlementsInherit: path.join(installers, 'macos', 'entitlements.plist'),
  // Where Apple's keys are in the environment.
  notarize: process.env.APPLE_API_KEY !== undefined,
  extendInfo: { NSLocalNetworkUsageDescription: 'To find the other PCs of your office.' },
}
