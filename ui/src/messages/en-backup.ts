/** English: backups and the way back. */
import { many, peopleOf } from './en-plurals.ts'

const messagesOf = (n: number) => many(n, 'message', 'messages')

/** The Backup page. */
export const backup = {
  title: 'Backup',
  folder: 'Folder',
  next: 'Next one',
  settings: 'Settings: when, where, how many',
  unknown: 'Nothing is known of the backups at the moment.',
  now: 'Back up now',
  list: 'Backups',
  none: 'No backup yet. The first one is made by itself; or make one now.',
  holds: (people: number, messages: number) => `${peopleOf(people)}, ${messagesOf(messages)}`,
  actions: (when: string) => `Actions for the backup of ${when}`,
  prove: 'Prove it again',
  restore: 'Go back to it…',
  madeWith: (version: string) => `Lanthorn ${version}`,
  job: {
    backup: 'Making a backup',
    proof: 'Proving a backup',
    restore: 'Putting the office back',
    bar: { backup: 'How far the backup is', proof: 'How far the proof is', restore: 'How far the way back is' },
    percent: (n: number) => `${n} %`,
    away: 'The office is being put back and does not answer for a moment. This page goes on by itself.',
    failed: { backup: 'The backup failed', proof: 'The proof failed', restore: 'The office was not put back' },
    done: { backup: 'The backup is made', proof: 'The backup is proven', restore: 'The office is put back' },
  },
  dialog: {
    title: (when: string) => `Go back to ${when}?`,
    back: 'What comes back',
    backHolds: (held: string, when: string) => `${held}, and all rooms and settings, as they were on ${when}.`,
    aside: 'What is set aside',
    asideHolds: (when: string) =>
      `Everything after ${when} is set aside, not deleted: the database in use now is kept, and stands on the Database page.`,
    meanwhile: 'Meanwhile',
    meanwhileLead: 'Chat stops for some seconds; then apps come back by themselves.',
    url: 'An empty database to restore into',
    urlHelp: 'The office uses your own PostgreSQL servers: make an empty database there and give its address.',
    urlMissing: 'Give the address of an empty database.',
    button: 'Go back',
  },
}

/** Typing a word before something that cannot be taken back. */
export const confirm = {
  label: (word: string) => `Type ${word} to confirm`,
  wrong: (word: string) => `This is not ${word} yet.`,
}
