import { describe, expect, test } from 'vitest'
import { helpText } from './help.ts'
import { browserCommand } from './open-browser.ts'
import { parseCommand } from './parse.ts'

const parse = (line: string) => parseCommand(line.split(' ').filter(Boolean))

describe('the command line', () => {
  test('runs the server when nothing else is said', () => {
    expect(parse('')).toEqual({ name: 'run', open: true })
    expect(parse('run')).toEqual({ name: 'run', open: true })
    expect(parse('--data /srv/chat --config auto.json --no-open')).toEqual({
      name: 'run',
      data: '/srv/chat',
      config: 'auto.json',
      open: false,
    })
    expect(parse('run --data=/srv/chat')).toEqual({ name: 'run', data: '/srv/chat', open: true })
  })

  test('asks the running one', () => {
    expect(parse('status')).toEqual({ name: 'status', json: false })
    expect(parse('stop --data x')).toEqual({ name: 'stop', json: false, data: 'x' })
    expect(parse('doctor --json --data x')).toEqual({ name: 'doctor', json: true, data: 'x' })
  })

  test('takes a PC out, this one also for a time', () => {
    expect(parse('drain back-office --resume')).toEqual({
      name: 'drain',
      json: false,
      node: 'back-office',
      isResumed: true,
    })
    expect(parse('drain --minutes 30')).toEqual({ name: 'drain', json: false, isResumed: false, minutes: 30 })
    for (const line of ['drain --minutes 0', 'drain --minutes soon', 'drain --minutes 1441'])
      expect(parse(line)).toMatchObject({ sentence: '--minutes needs a number from 1 to 1440 behind it.' })
    expect(parse('drain back-office --minutes 30')).toMatchObject({ sentence: expect.stringMatching(/this PC alone/) })
  })

  test('changes people', () => {
    expect(parseCommand(['user', 'add', 'anna', '--name', 'Anna Kessler', '--admin'])).toEqual({
      name: 'user',
      json: false,
      action: 'add',
      username: 'anna',
      personName: 'Anna Kessler',
      isAdmin: true,
    })
    expect(parse('user list --json')).toEqual({ name: 'user', json: true, action: 'list' })
    expect(parse('user remove ben --data d')).toEqual({
      name: 'user',
      json: false,
      data: 'd',
      action: 'remove',
      username: 'ben',
    })
    expect(parse('user password ben')).toMatchObject({ action: 'password', username: 'ben' })
  })

  test('looks for updates, installs them, stops', () => {
    expect(parse('update')).toEqual({ name: 'update', json: false, action: 'show' })
    expect(parse('update check --json')).toEqual({ name: 'update', json: true, action: 'check' })
    expect(parse('update install --data d')).toEqual({ name: 'update', json: false, data: 'd', action: 'install' })
    expect(parse('update stop')).toMatchObject({ action: 'stop' })
    expect(parse('update instal')).toMatchObject({
      sentence: 'There is no command update instal; the nearest is install.',
    })
    expect(parse('update check now')).toMatchObject({
      sentence: 'update check takes nothing, but there is now behind it.',
    })
  })

  test('tries, moves and shows the database', () => {
    const url = 'postgresql://a:b@h1,h2/d'
    expect(parse('db status --json')).toEqual({ name: 'db', json: true, action: 'status' })
    expect(parse(`db test ${url}`)).toEqual({ name: 'db', json: false, action: 'test', url })
    expect(parse('db test -')).toEqual({ name: 'db', json: false, action: 'test', url: '-' })
    expect(parse(`db move ${url} --data d --detach`)).toEqual({
      name: 'db',
      json: false,
      data: 'd',
      action: 'move',
      url,
      isDetached: true,
    })
    expect(parse('db move --resume')).toEqual({
      name: 'db',
      json: false,
      action: 'steer-move',
      steer: 'resume',
      isDetached: false,
    })
    expect(parse('db trust')).toEqual({ name: 'db', json: false, action: 'trust' })
  })

  test('makes, lists, proves and restores backups', () => {
    expect(parse('backup')).toEqual({ name: 'backup', json: false, action: 'make' })
    expect(parse('backup list')).toEqual({ name: 'backup', json: false, action: 'list' })
    expect(parse('backup prove acme-1')).toEqual({ name: 'backup', json: false, action: 'prove', backup: 'acme-1' })
    expect(parse('restore acme-1')).toEqual({ name: 'restore', json: false, from: 'acme-1', isSure: false })
    expect(parse('restore /mnt/acme-1 --url - --yes')).toEqual({
      name: 'restore',
      json: false,
      from: '/mnt/acme-1',
      url: '-',
      isSure: true,
    })
  })

  test('shows the PCs, lets others in, joins, and takes one out', () => {
    expect(parse('nodes')).toEqual({ name: 'nodes', json: false, isDiscovery: false })
    expect(parse('nodes --discover --json --data d')).toEqual({
      name: 'nodes',
      json: true,
      data: 'd',
      isDiscovery: true,
    })
    expect(parse('join-code')).toEqual({ name: 'join-code', json: false })
    expect(parse('join ACME-7Q4K-M2PX --data d')).toEqual({
      name: 'join',
      json: false,
      data: 'd',
      to: 'ACME-7Q4K-M2PX',
    })
    expect(parse('join -')).toEqual({ name: 'join', json: false, to: '-' })
    expect(parse('join 192.168.1.20:5275 --json')).toMatchObject({ name: 'join', json: true, to: '192.168.1.20:5275' })
    expect(parse('drain')).toEqual({ name: 'drain', json: false, isResumed: false })
    expect(parse('drain back-office --resume')).toEqual({
      name: 'drain',
      json: false,
      node: 'back-office',
      isResumed: true,
    })
  })

  test('helps', () => {
    for (const line of ['--help', '-h', 'help']) expect(parse(line), line).toEqual({ name: 'help', topic: undefined })
    expect(parse('user --help')).toEqual({ name: 'help', topic: 'user' })
    expect(parse('help doctor')).toEqual({ name: 'help', topic: 'doctor' })
    for (const line of ['--version', '-v', 'version']) expect(parse(line), line).toEqual({ name: 'version' })
    const topics = ['run', 'status', 'doctor', 'user', 'db', 'backup', 'restore'] as const
    for (const topic of [undefined, ...topics, 'nodes', 'join-code', 'join', 'drain'] as const) {
      const lines = helpText(topic).split('\n')
      expect(lines.every(line => line.length <= 100)).toBe(true)
    }
  })

  test.each([
    ['stauts', 'There is no command stauts; the nearest is status.'],
    ['frobnicate', 'There is no command frobnicate; see --help.'],
    ['--dat x', 'There is no option --dat; the nearest is --data.'],
    ['-x', 'There is no option -x; see --help.'],
    ['status --config x', 'There is no option --config; see --help.'],
    ['--data', '--data needs a value behind it.'],
    ['--data --no-open', '--data needs a value behind it.'],
    ['--data=', '--data needs a value behind it.'],
    ['--no-open=yes', '--no-open stands alone, without a value.'],
    ['run there', 'run takes no name, but there is there behind it.'],
    ['user', 'user needs to know what to do: add, remove, list, password.'],
    ['user ad anna', 'There is no command user ad; the nearest is add.'],
    ['user add', 'user add needs a user name behind it.'],
    [
      'user add anna kessler',
      'user add takes one user name, but there is kessler behind it; put a name with spaces behind --name, in quotes.',
    ],
    ['user list anna', 'user list takes no name, but there is anna behind it.'],
    ['db', 'db needs to know what to do: test, status, move, trust.'],
    ['db tets x', 'There is no command db tets; the nearest is test.'],
    ['db test', 'db test needs a URL behind it, or - to read it from standard input.'],
    ['db test a b', 'db test takes one URL, but there is b behind it.'],
    ['db status x', 'db status takes no URL, but there is one behind it.'],
    ['db status --detach', '--detach, --cancel, --resume and --forget belong to db move only.'],
    [
      'db move',
      'db move needs a URL behind it, - to read it from standard input, or one of --cancel, --resume and --forget.',
    ],
    ['db move x --cancel', 'db move --cancel takes no URL: it is about the move there is.'],
    ['db move --cancel --forget', 'db move takes one of --cancel, --resume and --forget, not several.'],
    ['db move --cancel --detach', '--detach does not go with --cancel: there is nothing to wait for.'],
    ['backup lsit', 'There is no command backup lsit; the nearest is list.'],
    ['backup list x', 'backup list takes no name, but there is x behind it.'],
    ['backup prove', 'backup prove needs the name of a backup behind it: see backup list.'],
    ['backup prove a b', 'backup prove takes one name, but there is b behind it.'],
    ['restore', 'restore needs the name of a backup behind it (see backup list), or the folder of one.'],
    ['restore a b', 'restore takes one backup, but there is b behind it.'],
    ['nodes here', 'nodes takes no name, but there is here behind it.'],
    ['nodes --resume', 'There is no option --resume; see --help.'],
    ['nodes --discovr', 'There is no option --discovr; the nearest is --discover.'],
    ['join-code ACME', 'join-code takes no name: it makes a code; join CODE is said on the other PC.'],
    ['join', 'join needs a join code behind it, or the address of a PC of the office.'],
    ['join a b', 'join takes one code or address, but there is b behind it.'],
    ['drain a b', 'drain takes the name of one PC, but there is b behind it.'],
    ['drain --discover', 'There is no option --discover; see --help.'],
    ['user remove anna --admin', '--name and --admin belong to user add only.'],
  ])('says what is wrong with “%s”', (line, sentence) => {
    expect(parse(line)).toEqual({ name: 'misunderstood', sentence })
  })
})

describe('the browser', () => {
  const url = 'http://127.0.0.1:9090/#token=abc_DEF-1'

  test('is opened by what the system has for it', () => {
    expect(browserCommand(url, 'linux', { DISPLAY: ':0' })).toEqual(['xdg-open', [url]])
    expect(browserCommand(url, 'darwin', {})).toEqual(['open', [url]])
    expect(browserCommand(url, 'win32', {})?.[0]).toBe('rundll32.exe')
  })

  test('is not opened where nobody sits, nor for anything but our own pages', () => {
    expect(browserCommand(url, 'linux', {})).toBeUndefined()
    expect(browserCommand(url, 'darwin', { SSH_CONNECTION: '1 2 3 4' })).toBeUndefined()
    expect(browserCommand(url, 'win32', { SESSIONNAME: 'Services' })).toBeUndefined()
    for (const odd of ['file:///etc/passwd', 'http://x/ & calc', 'javascript:1', 'http://x/"']) {
      expect(browserCommand(odd, 'darwin', {}), odd).toBeUndefined()
    }
  })
})
