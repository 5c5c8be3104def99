/** What an administrator can set about connections: the declarations of two features, `c2s` and `stream-management`. */
import { type Static, Type } from 'typebox'
import { feature } from '../core/feature.ts'
import { parseProxies } from '../net/proxies.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { NS_BIND, NS_SESSION, NS_SM } from '../xmpp/namespaces.ts'

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE

const whole = (title: string, description: string, value: number, minimum: number, maximum: number) =>
  Type.Integer({ title, description, default: value, minimum, maximum })

const c2sSettings = Type.Object({
  maxStanzaBytes: whole(
    'Longest message, in bytes',
    'One message with all its formatting. Pictures and files are sent another way and do not count.',
    256 * KIBIBYTE,
    10 * KIBIBYTE,
    MEBIBYTE,
  ),
  bytesBeforeLogin: whole(
    'Most bytes before sign-in',
    'What an app may send before it has signed in. A stranger who sends more is disconnected.',
    10 * KIBIBYTE,
    4 * KIBIBYTE,
    256 * KIBIBYTE,
  ),
  depth: whole('Deepest nesting of a message', 'How many elements may stand inside each other.', 100, 16, 1000),
  loginDeadlineSeconds: whole(
    'Time to sign in, in seconds',
    'A connection that has not signed in by then is closed.',
    30,
    5,
    600,
  ),
  keepaliveSeconds: whole(
    'Sign of life after silence, in seconds',
    'After that much silence one blank is sent, so that routers and firewalls keep the connection open.',
    300,
    10,
    86_400,
  ),
  pingSeconds: whole(
    'Question after silence, in seconds',
    'After that much silence the app is asked whether it is still there.',
    600,
    20,
    86_400,
  ),
  pingTimeoutSeconds: whole(
    'Time to answer that question, in seconds',
    'An app that has not answered by then counts as disconnected.',
    60,
    5,
    3600,
  ),
  stanzasPerSecond: whole(
    'Most messages per second from one app',
    'An app that sends more is read more slowly. Nothing is lost.',
    10_000,
    10,
    1_000_000,
  ),
  bytesPerSecond: whole(
    'Most bytes per second from one app',
    'An app that sends more is read more slowly. Nothing is lost.',
    16 * MEBIBYTE,
    10 * KIBIBYTE,
    1024 * MEBIBYTE,
  ),
  burstSeconds: whole(
    'Length of a burst, in seconds',
    'For that many seconds’ worth an app may exceed both limits at once, for instance right after sign-in.',
    3,
    1,
    60,
  ),
  connectionsPerAddress: whole(
    'Most connections from one address',
    'Many people behind one router share its address. Connections from this computer itself do not count.',
    1000,
    1,
    1_000_000,
  ),
  newConnectionsPerSecond: whole(
    'Most new connections per second from one address',
    'More than that, with ten seconds’ worth allowed at once, are refused. Connections from this computer do not count.',
    50,
    1,
    100_000,
  ),
  failedLoginsPerAccount: whole(
    'Wrong passwords in a row for one person',
    'After that many, sign-in as this person waits: 2 seconds, then longer each time, at most 15 minutes. Devices that signed in before are not held up.',
    5,
    2,
    1000,
  ),
  failedLoginsPerAddress: whole(
    'Wrong passwords in a row from one address',
    'After that many, sign-in from this address waits: 2 seconds, then longer each time, at most 15 minutes.',
    20,
    2,
    10_000,
  ),
  writeBufferBytes: whole(
    'Most bytes that wait for a slow connection',
    'When more waits, the connection is closed; what was not delivered is kept for the next one.',
    MEBIBYTE,
    64 * KIBIBYTE,
    64 * MEBIBYTE,
  ),
  writeStallSeconds: whole(
    'Longest standstill while sending, in seconds',
    'A connection that takes nothing for that long is closed; what was not delivered is kept.',
    30,
    5,
    600,
  ),
  bindWebSockets: Type.Boolean({
    title: 'Bind sign-in over WebSocket to its encryption',
    description:
      'Keeps out somebody who stands between app and server with a stolen certificate. Browsers cannot do it, and some apps fail when it is offered to them.',
    default: false,
  }),
  proxies: Type.String({
    title: 'Load balancers that tell who connects',
    description:
      'Addresses or networks of load balancers that begin each connection with the PROXY protocol (HAProxy: send-proxy-v2), separated by commas: 10.0.0.2, 10.0.1.0/24. They are believed, and must say it on every connection. Empty: nobody is.',
    default: '',
    maxLength: 2_000,
  }),
  allowPlain: Type.Boolean({
    title: 'Let old apps send the password itself',
    description:
      'Some old apps know only the PLAIN way of signing in. The password is then sent through the encrypted connection; without encryption it never is.',
    default: true,
  }),
})

const managementSettings = Type.Object({
  resumeSeconds: whole(
    'Keep a lost connection for, in seconds',
    'When the network breaks, the app can go on without signing in anew for that long, and nothing is lost. Others see the person as online meanwhile.',
    600,
    0,
    86_400,
  ),
  maxUnacked: whole(
    'Most messages that wait for an app to confirm them',
    'When more wait, the app is disconnected; the messages go to the person’s other apps or are kept.',
    5000,
    100,
    1_000_000,
  ),
  maxUnackedBytes: whole(
    'Most bytes that wait for an app to confirm them',
    'The same limit, in bytes.',
    4 * MEBIBYTE,
    256 * KIBIBYTE,
    1024 * MEBIBYTE,
  ),
})

/** The live values of the `c2s` settings. */
export type C2sSettings = Readonly<Static<typeof c2sSettings>>

/** The live values of the `stream-management` settings. */
export type ManagementSettings = Readonly<Static<typeof managementSettings>>

/** Streams of clients: RFC 6120, and the ways to reach us. What it does is in this folder; here it is declared. */
export const c2sFeature = feature({
  name: 'c2s',
  title: 'Connections',
  page: 'Advanced',
  standards: [
    { id: 'RFC 6120', title: 'XMPP: Core' },
    { id: 'RFC 7395', title: 'XMPP Subprotocol for WebSocket' },
    { id: 'XEP-0124', title: 'Bidirectional-streams Over Synchronous HTTP (BOSH)', version: '1.11.2' },
    { id: 'XEP-0206', title: 'XMPP Over BOSH', version: '1.4' },
    { id: 'RFC 7590', title: 'Use of TLS in XMPP' },
    { id: 'RFC 5802', title: 'SCRAM SASL Mechanisms (SHA-1, also RFC 7677: SHA-256, and SHA-512)' },
    { id: 'RFC 9266', title: 'Channel Bindings for TLS 1.3' },
    { id: 'XEP-0368', title: 'SRV records for XMPP over TLS (direct TLS)', version: '1.1.0' },
    { id: 'XEP-0440', title: 'SASL Channel-Binding Type Capability', version: '1.0.0' },
    { id: 'XEP-0478', title: 'Stream Limits Advertisement', version: '0.2.0' },
    { id: 'XEP-0474', title: 'SASL SCRAM Downgrade Protection', version: '0.5.0' },
  ],
  settings: c2sSettings,
  start(server) {
    server.onSettings({
      verify({ proxies }) {
        const read = parseProxies(proxies)
        if (typeof read === 'string') throw new Error(read)
      },
    })
    // RFC 3921 §3: old apps want it, it does nothing.
    server.streamFeature(`<session xmlns='${NS_SESSION}'><optional/></session>`)
    server.iq('both', 'set', NS_SESSION, 'session', () => undefined)
    server.iq('both', 'set', NS_BIND, 'bind', () => {
      throw stanzaError('not-allowed', 'A resource is bound to this stream already.')
    })
  },
})

/** XEP-0198: acknowledgements and resumption. What it does is in management.ts; here it is declared and offered. */
export const managementFeature = feature({
  name: 'stream-management',
  title: 'Interrupted connections',
  page: 'Advanced',
  standards: [{ id: 'XEP-0198', title: 'Stream Management', version: '1.6.3' }],
  settings: managementSettings,
  start(server) {
    server.streamFeature(`<sm xmlns='${NS_SM}'/>`)
  },
})
