/** The settings of the office about its PCs, carried out on this one: whether others can join, and how it is heard on the network. */
import type { Logger } from 'pino'
import type { Office } from '../office.ts'
import { type ClusterSettings, clusterFeature } from './settings.ts'

export interface FollowedParts {
  readonly log: Logger
  /** Names of the other PCs of the office. */
  others(): readonly string[]
  /** Whether other PCs can join now. */
  isOn(): boolean
  /** Whether this office is still the open one. */
  isOpen(): boolean
  enable(): Promise<void>
  disable(): Promise<void>
  /** How this PC is heard on the network has changed. */
  announceAnew(): void
}

/** The settings about PCs as they are now: the same object for as long as the office is open. */
export const settingsOf = (office: Office): ClusterSettings =>
  office.chat.parts.settings.of(clusterFeature.name) as unknown as ClusterSettings

/** Lets other PCs join, or not: for the whole office. @throws SettingRefused with a sentence */
export async function choose(office: Office, enabled: boolean, by: string): Promise<void> {
  await office.chat.parts.settings.set(`${clusterFeature.name}.enabled`, enabled, by)
}

/** Follows them for as long as the office is open; what the autosetup file has decided is written into them. */
export function followSettings(office: Office, parts: FollowedParts): void {
  const { settings } = office.chat.parts
  const failed = (err: unknown): void =>
    parts.log.error({ err }, 'a change of the settings about PCs was not carried out')
  let known = JSON.stringify(settingsOf(office))
  settings.subscribe(clusterFeature.name, {
    verify: (next: ClusterSettings) => {
      const others = parts.others()
      if (next.enabled || others.length === 0) return
      throw new Error(`Remove ${others.join(' and ')} from the office first: now they carry it together.`)
    },
    apply: (next: ClusterSettings) => {
      if (JSON.stringify(next) === known || !parts.isOpen()) return
      known = JSON.stringify(next)
      if (next.enabled === parts.isOn()) parts.announceAnew()
      else void (next.enabled ? parts.enable() : parts.disable()).catch(failed)
    },
  })
  const enabled = parts.isOn()
  if (settingsOf(office).enabled === enabled) return
  known = JSON.stringify({ ...settingsOf(office), enabled })
  void choose(office, enabled, 'Lanthorn').catch(failed)
}
