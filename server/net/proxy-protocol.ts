/** PROXY protocol, versions 1 and 2 (specification of HAProxy, revision 2020-03-05): a load balancer tells for whom it connects. */
import net from 'node:net'

/** What stands before the data of a connection. */
export type ProxyHeader =
  /** `length` bytes are the header. `source`: who is behind the balancer; undefined when the balancer speaks for itself (LOCAL, UNKNOWN). */
  | { readonly kind: 'header'; readonly length: number; readonly source: { address: string; port: number } | undefined }
  /** Not all of it is there yet. */
  | { readonly kind: 'more' }
  /** It is none. */
  | { readonly kind: 'bad'; readonly why: string }

/** §2.1: the longest line of version 1, with CRLF. */
const LINE_BYTES_MAX = 107
/** §2.2 allows 64 KiB of TLVs; no balancer sends more than a certificate's name. */
const BINARY_BYTES_MAX = 4 * 1024
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const LINE_START = Buffer.from('PROXY ', 'latin1')
const FIXED_BYTES = 16

const bad = (why: string): ProxyHeader => ({ kind: 'bad', why })

/** Reads a header from the first bytes of a connection; never looks behind its end. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, SIGNATURE)) return bytes.length < FIXED_BYTES ? { kind: 'more' } : readBinary(bytes)
  if (startsLike(bytes, LINE_START)) return readLine(bytes)
  return bad('it does not begin with a PROXY header')
}

/** Whether the bytes are the beginning of `start`, or begin with it. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, LINE_BYTES_MAX).indexOf('\r\n')
  if (end < 0) return bytes.length < LINE_BYTES_MAX ? { kind: 'more' } : bad('its first line has no end')
  const line = bytes.toString('latin1', 0, end)
  const length = end + 2
  // "the receiver must ignore anything presented before the CRLF is found"
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { kind: 'header', length, source: undefined }
  const [, family, source = '', target = '', from = '', to = ''] =
    /^PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]{1,39}) ([0-9A-Fa-f:.]{1,39}) (\d{1,5}) (\d{1,5})$/.exec(line) ?? []
  const isAddress = family === 'TCP4' ? net.isIPv4 : net.isIPv6
  if (!family || !isAddress(source) || !isAddress(target)) return bad('its addresses cannot be read')
  if (!isPort(from) || !isPort(to)) return bad('its ports cannot be read')
  return { kind: 'header', length, source: { address: source, port: Number(from) } }
}

/** "a decimal integer … with no leading zero" */
const isPort = (text: string): boolean => /^(?:0|[1-9]\d*)$/.test(text) && Number(text) <= 65_535

function readBinary(bytes: Buffer): ProxyHeader {
  const [versionAndCommand = 0, familyAndTransport = 0] = bytes.subarray(12, 14)
  const rest = bytes.readUInt16BE(14)
  const length = FIXED_BYTES + rest
  if (versionAndCommand >> 4 !== 2) return bad('its version is not 2')
  const command = versionAndCommand & 0x0f
  if (command > 1) return bad('its command is unknown')
  if (length > BINARY_BYTES_MAX) return bad(`it is longer than ${BINARY_BYTES_MAX} bytes`)
  if (bytes.length < length) return { kind: 'more' }
  // LOCAL: "the receiver must … use the real connection endpoints and … skip the block".
  const local: ProxyHeader = { kind: 'header', length, source: undefined }
  if (command === 0) return local
  const family = familyAndTransport >> 4
  const transport = familyAndTransport & 0x0f
  if (family > 3 || transport > 2) return bad('its kind of address is unknown')
  if (family === 0 || transport === 0) return local
  if (transport !== 1 || family === 3) return bad('it is not about a TCP connection')
  const addressBytes = family === 1 ? 4 : 16
  if (rest < addressBytes * 2 + 4) return bad('its addresses are cut off')
  const address = bytes.subarray(FIXED_BYTES, FIXED_BYTES + addressBytes)
  const port = bytes.readUInt16BE(FIXED_BYTES + addressBytes * 2)
  return { kind: 'header', length, source: { address: written(address), port } }
}

/** An address as text, as short as it is written. */
function written(address: Buffer): string {
  if (address.length === 4) return address.join('.')
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(index * 2).toString(16))
  const { address: short } = new net.SocketAddress({ address: groups.join(':'), family: 'ipv6' })
  return short
}
