/** Five devices of everybody, a thousand in a thorough run, spread over three PCs, one of which has the database: everybody sees exactly what it should. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Account, Connection, type Target } from '../bench/connection.ts'
import { crowd } from '../bench/crowd.ts'
import { isThorough } from '../faults/random.ts'
import { canMakeNetworks } from '../support/lab/lab.ts'
import { LabOffice } from '../support/lab/office.ts'
import { eventually } from '../support/postgres-server.ts'

const people = isThorough ? 200 : 80
const devicesEach = 5
const settleMs = 60_000

interface Device {
  readonly person: number
  readonly connection: Connection
  presences: number
  unavailable: number
}

test.skipIf(!canMakeNetworks)(
  `${people * devicesEach} devices over three PCs: rosters and presence are right everywhere, also when one PC is gone and back`,
  async () => {
    const accounts = crowd(people)
    await using office = await LabOffice.open({ pcs: 3, database: 'embedded', config: { people: accounts } })
    const devices = await logInEverybody(office, accounts)
    try {
      await office.knows(people * devicesEach)
      // Neighbours in a ring become contacts of each other: each sits on other PCs.
      for (const { person, connection } of devices.slice(0, people)) {
        connection.write(
          `<presence to='${bare(person + 1)}' type='subscribe'/><presence to='${bare(person + 1)}' type='subscribed'/>`,
        )
        connection.write(
          `<presence to='${bare(person - 1)}' type='subscribe'/><presence to='${bare(person - 1)}' type='subscribed'/>`,
        )
      }
      await quiet(devices)
      for (const device of devices) device.presences = 0
      for (const { connection } of devices) connection.write('<presence><status>here</status></presence>')
      // Own devices and those of both neighbours, each once; the first time all of them are probed as well.
      const enough = devicesEach * 3
      await eventually('everybody to see everybody else', () => devices.every(one => one.presences >= enough), settleMs)
      await quiet(devices)
      for (const device of devices) device.presences = 0
      for (const { connection } of devices) connection.write('<presence><status>again</status></presence>')
      await eventually('every change to arrive', () => devices.every(one => one.presences >= enough), settleMs)
      await quiet(devices)
      expect(new Set(devices.map(one => one.presences))).toEqual(new Set([enough]))
      await expectNoGhosts(office, devices)
    } finally {
      for (const { connection } of devices) connection.destroy()
    }
  },
  240_000,
)

/** The third PC, which is not the one with the database, is killed: its third of all devices is seen to go by every contact, once. */
async function expectNoGhosts(office: LabOffice, devices: readonly Device[]): Promise<void> {
  const views = await office.view(office.node(1))
  const victim = office.nodes.findIndex(({ name }) => views.nodes.find(node => node.name === name)?.database !== 'main')
  const isThere = (index: number): boolean => index % 3 !== victim
  for (const device of devices) device.unavailable = 0
  await office.node(victim + 1).appliance.kill()
  const left = devices.filter((_, index) => isThere(index))
  const nodes = office.nodes.filter((_, index) => index !== victim)
  await office.knows(left.length, nodes, settleMs)
  const gone = (device: Device): number =>
    devices.filter((other, index) => !isThere(index) && isSeenBy(other.person, device.person)).length
  await eventually('everybody to see who has gone', () => left.every(one => one.unavailable >= gone(one)), 20_000)
  await quiet(left)
  expect(left.filter(one => one.unavailable !== gone(one)).length, 'devices that saw too many or too few go').toBe(0)
  await office.node(victim + 1).appliance.start()
  await office.isWhole()
  await office.knows(left.length)
}

async function logInEverybody(office: LabOffice, accounts: readonly Account[]): Promise<Device[]> {
  const targets: Target[] = await Promise.all(
    office.nodes.map(async ({ appliance, host }) => ({
      domain: appliance.domain,
      host: host.address,
      port: appliance.ready.c2sTls,
      ca: await appliance.officeCa(),
    })),
  )
  const devices: Device[] = []
  let next = 0
  const one = async (): Promise<void> => {
    while (next < people * devicesEach) {
      const index = next++
      const person = index % people
      const [account, target] = [accounts[person], targets[index % targets.length]]
      if (!account || !target) throw new Error('everybody has an account and a PC')
      const connection = await loggedIn(target, account, `d${Math.floor(index / people)}`)
      const device: Device = { person, connection, presences: 0, unavailable: 0 }
      connection.watch(
        ['<presence', "type='unavailable'", 'type="unavailable"'],
        ([all = 0, single = 0, double = 0], tags) => {
          const gone = single + double
          device.unavailable += gone
          device.presences += all - gone - requestsIn(tags)
        },
      )
      connection.write("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>")
      devices[index] = device
    }
  }
  await Promise.all(Array.from({ length: 20 }, one))
  return devices
}

/** As apps do: told to try again in a moment, it does. A thousand at once may be too much for the way to the database. */
async function loggedIn(target: Target, account: Account, resource: string): Promise<Connection> {
  for (let tries = 1; ; tries++) {
    try {
      return await Connection.open(target, account, resource, 'SCRAM-SHA-1')
    } catch (error) {
      if (tries === 10 || !String(error).includes('temporary-auth-failure')) throw error
      await delay(500)
    }
  }
}

const requestsIn = (tags: Buffer): number =>
  tags.toString('latin1').match(/type=["'](un)?subscribed?["']/g)?.length ?? 0

const bare = (person: number): string => `u${(person + people) % people}@office.test`

function isSeenBy(other: number, person: number): boolean {
  const distance = Math.abs(other - person)
  return distance <= 1 || distance === people - 1
}

/** Resolves when nothing has come for half a second. */
async function quiet(devices: readonly Device[]): Promise<void> {
  let before = -1
  let since = performance.now()
  await eventually(
    'the office to be quiet',
    () => {
      const now = devices.reduce((sum, one) => sum + one.presences + one.unavailable, 0)
      if (now !== before) {
        before = now
        since = performance.now()
      }
      return performance.now() - since > 500
    },
    settleMs,
  )
}
