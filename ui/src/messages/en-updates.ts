/** English: updates of Lanthorn itself. */

/** The part about updates of the Settings page. */
export const updates = {
  title: 'Newer versions',
  here: 'On this PC',
  newest: 'Newest',
  published: (version: string, when: string) => `${version}, of ${when}`,
  checked: 'Looked for',
  never: 'Not yet',
  night: 'Next night',
  hazelcast: 'Hazelcast',
  hazelcastOf: (version: string) =>
    `${version}. While PCs have different ones, they talk over their own lines alone; nobody notices.`,
  notes: (version: string) => `What is new in ${version}`,
  look: 'Look now',
  install: (version: string) => `Install ${version} on all PCs`,
  installHere: (version: string) => `Install ${version}`,
  stop: 'Stop',
  pcs: 'PCs',
  off: 'Say below where updates come from, then they are looked for every six hours.',
}
