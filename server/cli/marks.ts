import type { Wellness } from '../admin/contract/endpoint.ts'

/** How well something is, at the beginning of a line on the terminal. */
export const marks: Record<Wellness, string> = { ok: '✓', warn: '!', bad: '✕' }
