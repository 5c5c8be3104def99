/** Load balancers in front of the PCs of an office: HAProxy for everything, Apache for chat apps in browsers. */
import net from 'node:net'
import type { Snippet } from './snippets.ts'
import { type ZoneNode, zoneLines } from './zone.ts'

/** One PC behind the balancer; ports that are undefined are not open. */
export interface BalancedNode {
  /** 'front-desk'. */
  readonly name: string
  /** Name or address in the network. */
  readonly host: string
  readonly c2s?: number | undefined
  readonly c2sTls?: number | undefined
  readonly web?: number | undefined
}

/**
 * Everything an administrator may put around an office of several PCs.
 * @param nodes each with its open ports, and the addresses it is reached at, best first
 */
export function balancerSnippets(
  domain: string,
  nodes: readonly (ZoneNode & { readonly web?: number | undefined })[],
): Snippet[] {
  const behind = nodes.flatMap(({ addresses, ...node }) => {
    const [host] = addresses
    return host === undefined ? [] : [{ ...node, host: host.replace(/^\[(.*)\]$/, '$1') }]
  })
  return [
    {
      id: 'zone',
      title: 'Lines for the name server',
      sentence: `In the zone of ${domain}: chat apps then find all PCs by themselves, and need no load balancer.`,
      file: 'zone.txt',
      text: zoneLines(domain, nodes),
    },
    {
      id: 'chat-haproxy',
      title: 'HAProxy: one address for all PCs',
      sentence: 'For chat apps that can be given one address only. As /etc/haproxy/haproxy.cfg.',
      file: 'haproxy.cfg',
      text: chatHaproxyCfg(behind),
    },
    {
      id: 'chat-apache',
      title: 'Apache: chat apps in browsers',
      sentence: 'Where a web server stands in front of everything. Inside its virtual host.',
      file: 'lanthorn.conf',
      text: apacheConf(domain, behind),
    },
  ]
}

const plainName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/
const plainHost = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/

/** Nodes whose name and address can stand in a configuration without quotes; the others are left out. */
function plain(nodes: readonly BalancedNode[]): readonly BalancedNode[] {
  return nodes.filter(({ name, host }) => plainName.test(name) && (net.isIP(host) !== 0 || plainHost.test(host)))
}

const placeOf = (host: string, port: number): string => (net.isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`)

/**
 * HAProxy in front of the chat ports of all PCs. It tells each PC who connects (PROXY protocol), asks each whether people can sign in there,
 * and gives new connections to the PC with the fewest.
 * @param nodes at least those that are to be behind it
 */
export function chatHaproxyCfg(nodes: readonly BalancedNode[]): string {
  return `# HAProxy in front of all PCs. In Lanthorn, under Settings, Connections, “Load balancers that tell who connects”,
# name the address of this HAProxy: only then is it believed, and then it must tell on every connection.
# Encryption ends on the PCs, not here: the certificate stays theirs.
defaults
  mode tcp
  balance leastconn
  timeout connect 3s
  # Chat connections live for hours; the PCs ask silent apps themselves.
  timeout client 2h
  timeout server 2h
  timeout check 3s
  # A PC that has just gone: the next one is tried at once.
  option redispatch 1
  retries 3
${section('chat', 5222, nodes, 'c2s')}${section('chat-tls', 5223, nodes, 'c2sTls')}${webSection(nodes)}`
}

/** @param key whose port is behind it; all are checked on the web port, where a PC says whether people can sign in */
function section(title: string, port: number, nodes: readonly BalancedNode[], key: 'c2s' | 'c2sTls'): string {
  const lines = plain(nodes).flatMap(node => {
    const own = node[key]
    if (own === undefined || node.web === undefined) return []
    return [`  server ${node.name} ${placeOf(node.host, own)} ${checked(node.web)}\n`]
  })
  return lines.length === 0 ? '' : `\nlisten ${title}\n  bind :${port}\n${readyCheck}${lines.join('')}`
}

function webSection(nodes: readonly BalancedNode[]): string {
  const lines = plain(nodes).flatMap(({ name, host, web }) =>
    web === undefined ? [] : [`  server ${name} ${placeOf(host, web)} ${checked(web)}\n`],
  )
  if (lines.length === 0) return ''
  // The requests of one BOSH session all have to reach the same PC.
  return `
listen web
  bind :7443
  balance source
  hash-type consistent
${readyCheck}${lines.join('')}`
}

const readyCheck = `  option httpchk
  http-check send meth GET uri /health/ready
  http-check expect status 200
`

/** PROXY protocol for connections and checks; a PC that says no gets nobody new, those it has stay. */
const checked = (port: number): string =>
  `send-proxy-v2 check port ${port} check-ssl verify none check-send-proxy inter 2s fall 2 rise 1`

/**
 * Apache in front of the web ports: each BOSH session stays with its PC by a cookie (XEP-0124 needs that), WebSockets go through.
 * @param domain the domain of the office
 */
export function apacheConf(domain: string, nodes: readonly BalancedNode[]): string {
  const members = plain(nodes).flatMap(({ name, host, web }) =>
    web === undefined ? [] : [{ name, place: placeOf(host, web) }],
  )
  const balancer = (title: string, scheme: string): string => `<Proxy balancer://${title}>
${members.map(({ name, place }) => `  BalancerMember ${scheme}://${place} route=${name}\n`).join('')}  ProxySet stickysession=LANTHORN lbmethod=byrequests timeout=90
</Proxy>
`
  return `# Apache in front of chat apps in browsers. Modules: proxy proxy_http proxy_wstunnel proxy_balancer lbmethod_byrequests
# slotmem_shm headers ssl. Put this into the virtual host of ${domain}, which has the certificate that browsers see.
SSLProxyEngine on
# The PCs have certificates of the office's own authority.
SSLProxyVerify none
SSLProxyCheckPeerName off
SSLProxyCheckPeerExpire off
Header add Set-Cookie "LANTHORN=.%{BALANCER_WORKER_ROUTE}e; path=/; HttpOnly; SameSite=None; Secure" env=BALANCER_ROUTE_CHANGED

${balancer('chat-bosh', 'https')}${balancer('chat-websocket', 'wss')}
ProxyPass "/http-bind" "balancer://chat-bosh/http-bind"
ProxyPass "/ws" "balancer://chat-websocket/ws"
`
}
