/** English. Words for people: office, PC, people, device, “is off”; sentences say what happened, why, and what to do. */

import { backup, confirm } from './en-backup.ts'
import { database, databaseAddress } from './en-database.ts'
import { joining, pcs } from './en-pcs.ts'
import { devices, people } from './en-people.ts'
import { devicesOf, many, peopleOf } from './en-plurals.ts'
import { settings } from './en-settings.ts'
import { setup } from './en-setup.ts'
import { updates } from './en-updates.ts'

/** All sentences, grouped by where they stand. */
export const en = {
  product: 'Lanthorn',
  snippets: {
    none: 'There is nothing ready-made for this.',
    saveOf: (file: string) => `Save ${file}`,
    copyOf: (file: string) => `Copy ${file}`,
  },
  unreachable:
    'The chat server does not answer. Check that its PC is on and in the same network; this page tries again by itself.',
  unexpectedAnswer: (status: number) =>
    `The chat server gave an answer this page does not understand (${status}). Load the page again; if that does not help, restart the chat server.`,
  pageNotLoaded:
    'This page could not be loaded. Perhaps the chat server was updated a moment ago: load everything again.',
  justNow: 'just now',
  back: 'Back',
  cancel: 'Cancel',
  close: 'Close',
  details: 'Details',
  tryAgain: 'Try again',
  undo: 'Undo',
  copy: 'Copy',
  copied: 'Copied.',
  saved: 'Saved.',
  undone: 'Taken back.',
  loading: 'One moment…',
  more: 'Show more',
  states: { ok: 'Fine', warn: 'Wants attention', bad: 'Does not work', doing: 'In progress', waiting: 'Not yet' },
  cut: (pc: string) => `${pc} does not answer at the moment. This page tries again by itself.`,
  skip: 'Skip to the page',
  many: { people: peopleOf, devices: devicesOf, messages: (n: number) => many(n, 'message', 'messages') },

  nav: {
    label: 'Main',
    menu: 'Menu',
    home: 'Home',
    people: 'People',
    devices: 'Devices',
    connect: 'Connect an app',
    pcs: 'PCs',
    health: 'Health',
    database: 'Database',
    backup: 'Backup',
    history: 'History',
    log: 'Log',
    settings: 'Settings',
    signOut: 'Sign out',
    youAreOn: (pc: string) => `You are on ${pc}`,
    version: (version: string) => `Lanthorn ${version}`,
  },

  look: { label: 'Colours', system: 'As this PC', light: 'Light', dark: 'Dark' },

  signIn: {
    title: (office: string) => (office ? `Sign in to ${office}` : 'Sign in'),
    lead: 'This is where the office is looked after. Sign in as one of its administrators.',
    ended: {
      unused: 'You were signed out because nothing happened for a while. Please sign in again.',
      restored: 'You were signed out because the office was put back to a backup. Please sign in again.',
    },
    username: 'User name',
    password: 'Password',
    button: 'Sign in',
    busy: 'Signing in…',
    wait: (seconds: number) => `Try again in ${many(seconds, 'second', 'seconds')}.`,
  },

  password: {
    show: 'Show the password',
    hide: 'Hide the password',
    strength: ['Too short', 'Weak', 'Fair', 'Good', 'Strong'] as const,
    meter: (word: string) => `Password strength: ${word}`,
    tooShort: (min: number) => `Use at least ${min} characters.`,
    advice: 'A few words in a row are easy to remember and hard to guess.',
  },

  setup,

  joining,

  home: {
    online: 'people online',
    onlineOf: (all: number) => `of ${peopleOf(all)}`,
    messages: 'messages today',
    slowest: 'slowest message in 100',
    noneYet: 'None yet',
    stored: 'stored',
    storedOf: (free: string, disk: string) => `${free} of ${disk} free`,
    diskLabel: (percent: number) => `The disk is ${percent} % full`,
    pcs: 'PCs',
    allPcs: 'All about them',
    happened: 'What happened',
    nothing: 'Nothing yet. What happens in the office stands here in sentences.',
    all: 'All of it',
    look: 'See what it is',
    todo: (n: number) => `${['No', 'One', 'Two', 'Three', 'Four'][n] ?? n} more ${n === 1 ? 'thing' : 'things'}`,
    todos: {
      pc: {
        title: 'Add a second PC',
        lead: 'Chat goes on when this one is off.',
        button: 'Add a PC',
      },
      people: {
        title: 'Add people',
        lead: 'Each gets an address and a password to sign in with.',
        button: 'Add people',
      },
      connect: {
        title: 'Connect your chat app',
        lead: 'Which apps work, and what to type into them.',
        button: 'Connect an app',
      },
      recovery: {
        title: 'Keep the recovery sheet',
        lead: 'You need it only if all PCs are lost.',
        button: 'Show the sheet',
      },
    },
  },

  pcs,

  people,

  devices,

  connect: {
    title: 'Connect a chat app',
    lead: 'Any app that speaks XMPP works. These are good ones:',
    type: 'Type this into the app',
    address: 'Address',
    addressExample: (domain: string) => `name@${domain}`,
    addressNote: 'Each person has their own: see People.',
    password: 'Password',
    passwordNote: 'The one you handed over.',
    server: 'Server',
    serverNote: 'Under “Advanced” or “Connection settings”, because this office is not in DNS.',
    serverFound: 'Leave it empty. The app finds the server by itself.',
    port: 'Port',
    trust: 'So that apps trust this office',
    trustLead:
      'The office has its own certificate. Install it once on each PC or phone; or compare the fingerprint when an app asks.',
    download: 'Save the certificate',
    fingerprint: 'Fingerprint',
    apps: {
      gajim: { name: 'Gajim', on: 'Windows, Mac, Linux' },
      dino: { name: 'Dino', on: 'Linux, Windows' },
      psi: { name: 'Psi', on: 'Windows, Mac, Linux' },
      conversations: { name: 'Conversations', on: 'Android' },
      monal: { name: 'Monal', on: 'iPhone, iPad, Mac' },
    },
  },

  health: {
    title: 'Health',
    sentence: {
      ok: (n: number) => `All ${n} checks are fine.`,
      warn: (n: number) => (n === 1 ? 'One thing wants attention.' : `${n} things want attention.`),
      bad: (n: number) => (n === 1 ? 'One thing does not work.' : `${n} things do not work.`),
    },
    checked: (when: string) => `Checked ${when}.`,
    again: 'Check everything again',
    checking: 'Checking…',
    groups: { pcs: 'PCs', database: 'Database', names: 'Certificates and names', backups: 'Backups' },
    why: 'Why it matters',
    mended: 'Done. Everything was checked again.',
    doneAgain: 'Everything was checked again.',
  },

  history: {
    title: 'History',
    lead: 'Who did what, newest first.',
    search: 'Find in the history',
    none: 'Nothing yet.',
    noneFound: 'Nothing in the history fits that.',
    from: (address: string) => `from ${address}`,
    kinds: {
      person: 'Person',
      setting: 'Setting',
      'sign-in': 'Sign-in',
      connection: 'Device',
      office: 'Office',
      pc: 'PC',
      token: 'Script',
    },
  },

  log: {
    title: 'Log',
    lead: 'What the chat server writes down, for those who look for a cause.',
    level: 'Show',
    levels: { debug: 'Everything', info: 'Events', warn: 'Warnings and errors', error: 'Errors' },
    marks: { debug: 'Detail', info: 'Event', warn: 'Warning', error: 'Error' },
    search: 'Find in the log',
    pause: 'Pause',
    resume: 'Go on',
    live: 'Live',
    paused: (n: number) => (n === 0 ? 'Paused' : `Paused, ${many(n, 'new line', 'new lines')}`),
    lines: 'Lines of the log',
    none: 'No lines yet.',
    noneFound: 'No lines fit that.',
    save: 'Save as a file',
    fileName: 'lanthorn-log.txt',
  },

  database,

  databaseAddress,

  backup,

  confirm,

  settings,

  updates,

  recoveryPage: { title: 'Recovery sheet' },
  lost: { title: 'There is no such page', lead: 'The address may be old or mistyped.', home: 'Go to Home' },
}
