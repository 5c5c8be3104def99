import { X509Certificate } from 'node:crypto'
import type { RouteParts } from '../admin.ts'
import { type Certificate, downloadAuthority, getCertificates } from '../contract/certificates.ts'
import type { Desk } from '../serve.ts'

export function certificateRoutes(desk: Desk, { office }: RouteParts): void {
  desk.serve(getCertificates, () => {
    const { certificates, tls } = office().parts
    const { authority, source } = certificates
    return { authority: describe(new X509Certificate(authority)), server: describe(tls.current.leaf), source }
  })

  desk.serveRaw(downloadAuthority, ({ reply }) => {
    const { certificates, domain } = office().parts
    return reply
      .type(downloadAuthority.produces)
      .header('content-disposition', `attachment; filename="${domain.replace(/[^\w.-]/g, '_')}.crt"`)
      .header('cache-control', 'no-cache')
      .send(certificates.authority)
  })
}

function describe(certificate: X509Certificate): Certificate {
  const names = certificate.subjectAltName?.split(', ').map(name => name.replace(/^(DNS|IP Address):/, '')) ?? []
  return {
    subject: /(?:^|\n)CN=(.*)/.exec(certificate.subject)?.[1] ?? certificate.subject,
    fingerprint: certificate.fingerprint256,
    names: names.slice(0, 100),
    validFrom: certificate.validFromDate.toISOString(),
    validUntil: certificate.validToDate.toISOString(),
  }
}
