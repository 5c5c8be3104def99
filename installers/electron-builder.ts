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
  /** The bundled shell, with a package.json. */
  readonly shell: string
  /** What stage() has filled. */
  readonly runtime: string
  /** What lies beside the program: bin/lanthorn. */
  readonly beside: string
  readonly output: string
  /** Absent: the app starts the server itself (archives, disk images). */
  readonly service?: 'launchd'
}

const installers = path.join(root, 'installers')

/** The whole configuration for one target. */
export function builderConfiguration(options: BuilderOptions): Configuration {
  const { version, electron, runtime, beside, shell, output, service } = options
  return {
    appId: 'org.lanthorn.desktop',
    productName: 'Lanthorn',
    copyright: 'MIT licence',
    electronVersion: electron.version,
    electronDist: electron.folder,
    buildVersion: version,
    // The shell is bundled and has no packages of its own.
    npmRebuild: false,
    nodeGypRebuild: false,
    removePackageScripts: true,
    asar: true,
    electronLanguages: ['en-US'],
    ...fuses(electron),
    directories: { app: shell, output, buildResources: path.join(installers, 'icons') },
    files: ['**/*'],
    extraResources: [
      { from: runtime, to: 'runtime' },
      ...(service ? [{ from: path.join(installers, 'macos', 'resources'), to: '.' }] : []),
    ],
    extraFiles: [{ from: beside, to: 'bin' }],
    publish: null,
    linux: { executableName: 'lanthorn-desktop', icon: path.join(installers, 'icons'), category: 'Network' },
    win: {
      executableName: 'lanthorn-desktop',
      icon: path.join(installers, 'icons', '256x256.png'),
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

const macos: Configuration['mac'] = {
  category: 'public.app-category.business',
  icon: path.join(installers, 'icons', '1024x1024.png'),
  target: ['dmg', 'pkg'],
  minimumSystemVersion: '13.0',
  hardenedRuntime: true,
  gatekeeperAssess: false,
  entitlements: path.join(installers, 'macos', 'entitlements.plist'),
  entitlementsInherit: path.join(installers, 'macos', 'entitlements.plist'),
  // Where Apple's keys are in the environment.
  notarize: process.env.APPLE_API_KEY !== undefined,
  extendInfo: { NSLocalNetworkUsageDescription: 'To find the other PCs of your office.' },
}
