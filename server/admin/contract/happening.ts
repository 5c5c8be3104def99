/** Something that happened, as a sentence for people. */
import { type Static, Type } from 'typebox'
import { Moment, Wellness } from './endpoint.ts'

/** Shown on Home and on the pages it is about. */
export const Happening = Type.Object(
  { id: Type.String(), at: Moment, sentence: Type.String(), state: Wellness },
  { additionalProperties: false },
)
/** Static of {@link Happening}. */
export type Happening = Static<typeof Happening>
