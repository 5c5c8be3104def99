/** SRV records that lead chat apps to the PCs of an office (RFC 6120 §3.2.1, XEP-0368). */

/**
 * Lines for the zone file of the domain: every PC with the same weight, so that apps spread over them and go to the next when one is off.
 * @param ports by their names in `listen`; what is missing is not printed
 * @param pcs names of the PCs, as they stand in the same zone
 */
export function zoneLines(
  domain: string,
  ports: Readonly<Record<string, number | undefined>>,
  pcs: readonly string[],
): string[] {
  const services = [
    ['_xmpp-client._tcp', ports.c2s],
    ['_xmpps-client._tcp', ports.c2sTls],
  ] as const
  return services.flatMap(([service, port]) =>
    port === undefined ? [] : pcs.map(pc => `${service}.${domain}. SRV 5 10 ${port} ${pc}.${domain}.`),
  )
}
