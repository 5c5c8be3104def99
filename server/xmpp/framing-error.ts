/** Why a byte stream was refused: the conditions of RFC 6120 §4.9.3 that framing can raise. */

import { StreamError, type StreamErrorCondition } from './errors.ts'

/** The conditions that the framer raises; a subset of all stream errors. */
export type FramerCondition = Extract<
  StreamErrorCondition,
  | 'bad-format'
  | 'bad-namespace-prefix'
  | 'invalid-namespace'
  | 'not-well-formed'
  | 'policy-violation'
  | 'restricted-xml'
  | 'unsupported-encoding'
>

/** The stream cannot be read any further: answer with this condition and close it (RFC 6120 §4.9.1.1). */
export class FramerError extends StreamError {
  constructor(condition: FramerCondition, text: string) {
    super(condition, text)
  }
}
