/** Channel bindings of a TLS connection: tls-exporter (RFC 9266), tls-server-end-point (RFC 5929 §4). */
import type tls from 'node:tls'

const EXPORTER = 'tls-exporter'
const END_POINT = 'tls-server-end-point'
const EXPORTED_BYTES = 32
const LABEL = 'EXPORTER-Channel-Binding'

// RFC 9266 §4.2: before TLS 1.3 the exporter binds only with extended master secrets, which Node does not tell of.
const hasExporter = (socket: tls.TLSSocket): boolean => socket.getProtocol() === 'TLSv1.3'

/**
 * What a connection can be bound to, strongest first.
 * @param certificateHash the data of tls-server-end-point; undefined when there is none for the certificate
 */
export function bindingTypes(socket: tls.TLSSocket, certificateHash: Buffer | undefined): readonly string[] {
  if (!certificateHash) return hasExporter(socket) ? [EXPORTER] : []
  return hasExporter(socket) ? [EXPORTER, END_POINT] : [END_POINT]
}

/** The data of one type; undefined when the connection does not have it. */
export function bindingData(
  type: string,
  socket: tls.TLSSocket,
  certificateHash: Buffer | undefined,
): Buffer | undefined {
  if (type === END_POINT) return certificateHash
  if (type !== EXPORTER || !hasExporter(socket)) return undefined
  return socket.exportKeyingMaterial(EXPORTED_BYTES, LABEL, Buffer.alloc(0))
}
