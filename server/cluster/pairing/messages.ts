/** What is said on a `lanthorn-join` connection. Whatever comes in is checked against these shapes before anything looks at it. */
import { type Static, Type } from 'typebox'

const bytes32 = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: '32 bytes, base64url.' })
const name = Type.String({ minLength: 1, maxLength: 63 })
const shortText = Type.String({ maxLength: 100 })
const certificate = Type.String({ maxLength: 4_000 })
const protocol = Type.Integer({ minimum: 1, maximum: 1_000_000 })
const version = Type.String({ minLength: 1, maxLength: 32 })
/** A joiner's own words, as text: exactly these bytes are committed to and proven. */
const applicant = Type.String({ maxLength: 8_000 })

/** Ends everything, from either side. */
export const Fault = Type.Object({
  type: Type.Literal('fault'),
  reason: Type.Union([
    Type.Literal('unreachable'),
    Type.Literal('refused'),
    Type.Literal('expired'),
    Type.Literal('wrong-code'),
    Type.Literal('wrong-token'),
    Type.Literal('wrong-office'),
    Type.Literal('version'),
    Type.Literal('busy'),
    Type.Literal('ended'),
  ]),
  sentence: Type.String({ minLength: 1, maxLength: 600 }),
})

/** Somebody waits, and is there still. */
export const Here = Type.Object({ type: Type.Literal('here') })

/** First word of whoever connects. A `way` that is not known yet is answered with a sentence, not with silence. */
export const Hello = Type.Object({
  type: Type.Literal('hello'),
  protocol,
  version,
  way: Type.String({ maxLength: 32 }),
  /** compare: SHA-256 over what is revealed later. */
  commitment: Type.Optional(bytes32),
  /** code: which one. */
  code: Type.Optional(Type.String({ maxLength: 32 })),
})

/** The host shows itself, before it hears anything about the applicant. */
export const Host = Type.Object({
  type: Type.Literal('host'),
  protocol,
  version,
  authority: certificate,
  office: shortText,
  node: name,
  /** compare */
  nonce: Type.Optional(bytes32),
  /** code, token: that the host knows the secret. */
  proof: Type.Optional(bytes32),
})

/** compare: what was committed to. */
export const Reveal = Type.Object({ type: Type.Literal('reveal'), nonce: bytes32, applicant })

/** code, token: that the applicant knows the secret. */
export const Proof = Type.Object({ type: Type.Literal('proof'), proof: bytes32, applicant })

/** compare: both show the code now; somebody there decides. */
export const Waiting = Type.Object({
  type: Type.Literal('waiting'),
  expiresInMs: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
})

/** The applicant has stored nothing yet, but everything fits. */
export const Fits = Type.Object({ type: Type.Literal('fits') })
/** The host has heard that: joined. */
export const Joined = Type.Object({ type: Type.Literal('joined') })

/** What is behind an address, to whoever asks. */
export const OfficeAbout = Type.Object({
  kind: Type.Literal('office'),
  office: shortText,
  domain: Type.String({ maxLength: 253 }),
  node: name,
  nodeId: name,
  people: Type.Integer({ minimum: 0 }),
  version,
  hazelcast: Type.Optional(shortText),
})

/** A PC without an office: fresh (`candidate`), or about to make one. */
export const CandidateAbout = Type.Object({
  kind: Type.Union([Type.Literal('candidate'), Type.Literal('making')]),
  node: name,
  nodeId: name,
  version,
  hazelcast: Type.Optional(shortText),
})

export const AboutReply = Type.Object({
  type: Type.Literal('about'),
  protocol,
  authority: certificate,
  about: Type.Union([OfficeAbout, CandidateAbout]),
  /** That it holds a token; tells nothing to those who do not hold the same. */
  tokenTag: Type.Optional(bytes32),
})

/** Who wants to join, in `applicant`. */
export const ApplicantShape = Type.Object({
  id: name,
  name,
  system: shortText,
  version,
  hazelcast: Type.Optional(shortText),
  publicKey: Type.String({ maxLength: 1_000 }),
  addresses: Type.Array(Type.String({ maxLength: 270 }), { maxItems: 32 }),
})

const KnownNodeShape = Type.Object({
  number: Type.Integer({ minimum: 1 }),
  id: name,
  name,
  key: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  addresses: Type.Array(Type.String({ maxLength: 270 }), { maxItems: 64 }),
})

/** Everything a joiner is given. */
export const WelcomeMessage = Type.Object({
  type: Type.Literal('welcome'),
  welcome: Type.Object({
    office: shortText,
    officeId: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    domain: Type.String({ maxLength: 253 }),
    authority: Type.Object({ certificate, key: Type.String({ maxLength: 4_000 }) }),
    number: Type.Integer({ minimum: 1 }),
    name,
    certificate: Type.String({ maxLength: 8_000 }),
    nodes: Type.Array(KnownNodeShape, { maxItems: 256 }),
    database: Type.Union([
      Type.Object({ generation: Type.Integer(), kind: Type.Literal('embedded'), node: Type.Integer({ minimum: 1 }) }),
      Type.Object({
        generation: Type.Integer(),
        kind: Type.Literal('outside'),
        url: Type.String({ maxLength: 8_000 }),
      }),
    ]),
    secrets: Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 8_000 })),
  }),
})

/** Static of {@link OfficeAbout}. */
export type OfficeAbout = Readonly<Static<typeof OfficeAbout>>
/** Static of {@link CandidateAbout}. */
export type CandidateAbout = Readonly<Static<typeof CandidateAbout>>
/** What a node says of itself to whoever asks. */
export type AboutHere = OfficeAbout | CandidateAbout
