/** Which errors say in one sentence what is wrong around us; all others are bugs, and belong in the log. */

/** Their message is what the person needs who started us (exit code 2), or who pressed the button. */
const configurationFaults = new Set([
  'ConfigFault',
  'DataFolderFault',
  'MigrationFault',
  'DatabaseUrlFault',
  'DatabaseAway',
  'EmbeddedFault',
  'ListenFault',
  'CertificateFault',
  'SettingRefused',
  'AccountRefused',
  'JoinFault',
  'OccupiedFault',
  'RemovedFault',
])

/** Whether an error is about the configuration or the surroundings, and not a bug. */
export function isConfigurationFault(error: unknown): error is Error {
  return error instanceof Error && configurationFaults.has(error.name)
}
