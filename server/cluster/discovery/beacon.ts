/**
 * The beacon: says to everybody on the network that this node is there, and hears the others, over UDP multicast on every interface, IPv4 and IPv6. Interfaces
 * come and go; nothing that the network does ends it.
 */
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import dgram from 'node:dgram'
import type { Logger } from 'pino'
import { Allowance } from '../allowance.ts'
import { spkiOf } from '../pairing/office-id.ts'
import { type Place, placesNow } from './interfaces.ts'
import { type Announcement, type Beacon, beaconPacket, packetBytesMax, queryPacket, readPacket } from './packet.ts'

export const beaconDefaults = {
  group: '239.255.54.32',
  // RFC 4291 §2.7: scope 2 (this link), not assigned for good.
  group6: 'ff12::5432:4c54',
  port: 54_327,
  ttl: 1,
} as const

export interface BeaconOptions {
  readonly group?: string
  readonly group6?: string
  readonly port?: number
  /** Names or addresses; all interfaces otherwise. */
  readonly interfaces?: readonly string[]
  /** Routers that a packet may pass, plus one. */
  readonly ttl?: number
  readonly log: Logger
  readonly timings?: { readonly everyMs?: number; readonly lookMs?: number; readonly answerMs?: number }
  /** What interfaces there are; the platform's otherwise. */
  readonly places?: () => readonly Place[]
}

/** What is announced, and with which authority: an office's, or the one a fresh PC has made for itself. */
export interface Announcer {
  readonly authority: { readonly certificate: string; readonly key: string }
  /** Asked for every packet. */
  readonly announcement: () => Announcement
}

const everyMsDefault = 2_000
const lookMsDefault = 3_000
/** Questions of others are answered together, and not more often. */
const answerMsDefault = 500
/** Lines in the log about places that do not work. */
const notedMax = 64
/** More packets than this are not even looked at. */
const packets = { burst: 1_000, perSecond: 500 }

type Listener = (beacon: Beacon, host: string) => void

/** Opens the beacon: it hears at once, and says nothing until `announce`. Never throws: what the network refuses is tried again. */
export function openBeacon(options: BeaconOptions): NetworkBeacon {
  return new NetworkBeacon(options)
}

/** Ears for one family, mouths for each interface. */
export class NetworkBeacon {
  readonly #options: BeaconOptions & typeof beaconDefaults
  readonly #ears = new Map<4 | 6, dgram.Socket>()
  /** Those of them that are bound: only these can join groups. */
  readonly #hearing = new Set<dgram.Socket>()
  readonly #mouths = new Map<string, dgram.Socket>()
  readonly #listeners = new Set<Listener>()
  readonly #packets = new Allowance(packets)
  readonly #looking: NodeJS.Timeout
  #announcing: NodeJS.Timeout | undefined
  #answering: NodeJS.Timeout | undefined
  #announcer: (Announcer & { readonly signer: Parameters<typeof beaconPacket>[1] }) | undefined
  /** Grows from packet to packet, and over all beacons that this node opens in one life. */
  #counter = Date.now()
  #answeredAt = 0
  #trouble: string | undefined
  /** What was logged of places since they last worked. */
  readonly #noted = new Set<string>()
  #isClosed = false

  constructor(options: BeaconOptions) {
    this.#options = { ...beaconDefaults, ...options } as BeaconOptions & typeof beaconDefaults
    this.#looking = setInterval(() => this.look(), options.timings?.lookMs ?? lookMsDefault)
    this.#looking.unref()
    this.look()
  }

  /** Where it speaks now: 'eth0 192.168.1.20'. */
  get places(): readonly string[] {
    return [...this.#mouths.keys()]
  }

  /** Why nothing can be heard or said, as a sentence. */
  get trouble(): string | undefined {
    if (this.#mouths.size > 0 && this.#hearing.size > 0) return undefined
    return this.#trouble ?? 'This PC has no network that carries announcements.'
  }

  /** Announces this from now on, at once and every two seconds; nothing when undefined. */
  announce(announcer: Announcer | undefined): void {
    if (!announcer) {
      this.#announcer = undefined
      return
    }
    const { certificate, key } = announcer.authority
    const spki = spkiOf(new X509Certificate(certificate).publicKey)
    this.#announcer = { ...announcer, signer: { key: createPrivateKey(key), spki } }
    this.announceNow()
  }

  /** Something changed: says so at once. */
  announceNow(): void {
    clearTimeout(this.#announcing)
    if (this.#isClosed || !this.#announcer) return
    const { announcement, signer } = this.#announcer
    // One packet for each interface, each with its own number: whoever hears two of them learns two addresses.
    if (this.#mouths.size > 0) {
      const what = announcement()
      for (const [place, mouth] of this.#mouths) {
        this.#counter += 1
        this.#say(place, mouth, beaconPacket(what, signer, this.#counter, Date.now()))
      }
    }
    const everyMs = this.#options.timings?.everyMs ?? everyMsDefault
    // Not all in step.
    this.#announcing = setTimeout(() => this.announceNow(), everyMs * (0.85 + Math.random() * 0.3))
    this.#announcing.unref()
  }

  /** Asks everybody to announce themselves now. */
  ask(): void {
    const packet = queryPacket(randomBytes(8))
    for (const [place, mouth] of this.#mouths) this.#say(place, mouth, packet)
  }

  /** Calls `listener` with every well-formed announcement and where it came from; its own ones too. Nothing of it is checked yet. */
  onBeacon(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Looks which interfaces there are. Runs every three seconds by itself. */
  look(): void {
    if (this.#isClosed) return
    const places = (this.#options.places ?? (() => placesNow(this.#options.interfaces)))()
    const names = new Set(places.map(nameOf))
    for (const [name, mouth] of this.#mouths) if (!names.has(name)) this.#shut(name, mouth)
    for (const place of places) {
      this.#listen(place)
      if (!this.#mouths.has(nameOf(place))) this.#open(place)
    }
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of [this.#announcing, this.#answering]) clearTimeout(timer)
    clearInterval(this.#looking)
    this.#listeners.clear()
    for (const [name, mouth] of this.#mouths) this.#shut(name, mouth)
    for (const ear of this.#ears.values()) ear.close()
    this.#ears.clear()
    this.#hearing.clear()
  }

  #listen(place: Place): void {
    const { group, group6 } = this.#options
    const ear = this.#ears.get(place.family)
    if (!ear) {
      this.#openEar(place.family)
      return
    }
    if (!this.#hearing.has(ear)) return
    try {
      ear.addMembership(place.family === 4 ? group : group6, place.multicast)
    } catch (error) {
      // Joined already, since the last look. Joined anew each time, because an interface that was away for a moment has forgotten it.
      if (codeOf(error) === 'EADDRINUSE') return
      this.#note(error, nameOf(place))
    }
  }

  #openEar(family: 4 | 6): void {
    // Several appliances on one PC hear together.
    const ear = dgram.createSocket({ type: `udp${family}`, reuseAddr: true, ...(family === 6 && { ipv6Only: true }) })
    const drop = (error: unknown) => {
      this.#note(error, `IPv${family}`)
      if (this.#ears.get(family) === ear) this.#ears.delete(family)
      this.#hearing.delete(ear)
      close(ear)
    }
    this.#ears.set(family, ear)
    ear.on('error', drop)
    ear.on('message', (packet, from) => this.#hear(packet, from.address))
    ear.bind(this.#options.port, () => {
      ear.unref()
      this.#hearing.add(ear)
      this.look()
      this.ask()
    })
  }

  #open(place: Place): void {
    const name = nameOf(place)
    const mouth = dgram.createSocket({ type: `udp${place.family}`, ...(place.family === 6 && { ipv6Only: true }) })
    mouth.on('error', error => {
      this.#note(error, name)
      this.#shut(name, mouth)
    })
    mouth.bind({ port: 0, address: place.family === 4 ? place.address : '::' }, () => {
      try {
        mouth.setMulticastInterface(place.multicast)
        mouth.setMulticastTTL(this.#options.ttl)
        mouth.setMulticastLoopback(true)
        mouth.unref()
      } catch (error) {
        this.#note(error, name)
        close(mouth)
        return
      }
      if (this.#isClosed || this.#mouths.has(name)) {
        close(mouth)
        return
      }
      this.#mouths.set(name, mouth)
      for (const noted of this.#noted) if (noted.startsWith(name)) this.#noted.delete(noted)
      this.#say(name, mouth, queryPacket(randomBytes(8)))
      this.announceNow()
    })
  }

  #say(name: string, mouth: dgram.Socket, packet: Buffer): void {
    const { port, group, group6 } = this.#options
    const to = mouth.address().family === 'IPv6' ? group6 : group
    mouth.send(packet, port, to, error => {
      if (!error) return
      // "No such device", no route, cable out: opened again at the next look.
      this.#note(error, name)
      this.#shut(name, mouth)
    })
  }

  #hear(packet: Buffer, host: string): void {
    if (packet.length > packetBytesMax || !this.#packets.take()) return
    const read = readPacket(packet)
    if (read?.kind === 'query') this.#answer()
    else if (read) for (const listener of this.#listeners) listener(read, host)
  }

  #answer(): void {
    if (!this.#announcer || this.#answering) return
    const wait = Math.max(0, this.#answeredAt + (this.#options.timings?.answerMs ?? answerMsDefault) - Date.now())
    this.#answering = setTimeout(() => {
      this.#answering = undefined
      this.#answeredAt = Date.now()
      this.announceNow()
    }, wait)
    this.#answering.unref()
  }

  #shut(name: string, mouth: dgram.Socket): void {
    if (this.#mouths.get(name) === mouth) this.#mouths.delete(name)
    close(mouth)
  }

  #note(error: unknown, where: string): void {
    const code = codeOf(error)
    this.#trouble = `Announcements on ${where} do not work at the moment (${code}).`
    if (this.#noted.has(`${where} ${code}`) || this.#noted.size >= notedMax) return
    this.#noted.add(`${where} ${code}`)
    this.#options.log.debug({ where, code }, 'beacon could not use an interface')
  }
}

const nameOf = (place: Place): string => `${place.interface} ${place.address}`

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

function close(socket: dgram.Socket): void {
  try {
    socket.close()
  } catch {
    // It has closed itself already.
  }
}
