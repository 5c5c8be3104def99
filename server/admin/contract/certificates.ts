/** What the office proves itself with. */
import { type Static, Type } from 'typebox'
import { endpoint, Moment } from './endpoint.ts'

/** A certificate as people need to see it. */
export const Certificate = Type.Object(
  {
    subject: Type.String(),
    fingerprint: Type.String({ description: 'SHA-256, upper-case hex pairs with colons.' }),
    names: Type.Array(Type.String(), { maxItems: 100 }),
    validFrom: Moment,
    validUntil: Moment,
  },
  { additionalProperties: false },
)
/** Static of {@link Certificate}. */
export type Certificate = Static<typeof Certificate>

/** GET: the office’s own authority and the certificate chat apps see. */
export const getCertificates = endpoint({
  method: 'GET',
  path: '/api/certificates',
  access: 'admin',
  summary: 'The certificates in use',
  reply: Type.Object(
    {
      authority: Certificate,
      server: Certificate,
      source: Type.Union([Type.Literal('office'), Type.Literal('file')], {
        description: 'office: issued by our own authority and renewed by itself; file: given in the configuration.',
      }),
    },
    { additionalProperties: false },
  ),
})

/** GET: the authority as a file to install on phones and PCs; holds nothing secret. */
export const downloadAuthority = endpoint({
  method: 'GET',
  path: '/api/certificates/authority.crt',
  access: 'open',
  summary: 'The office’s certificate, to install on phones and PCs',
  produces: 'application/x-x509-ca-cert',
})
