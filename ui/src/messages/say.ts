/** The words of the UI in the reader's language: one object a language, all of the same type, so a missing sentence does not compile. */
import { en } from './en.ts'

/** What every language must provide. */
export type Messages = typeof en

const languages: Record<string, Messages> = { en }

const wanted = (globalThis.navigator?.languages ?? []).map(tag => tag.split('-')[0] ?? 'en')
const language = wanted.find(tag => tag in languages) ?? 'en'

/** The language spoken here, for `<html lang>`. */
export const spoken: string = language

/** For dates and numbers: the reader's own variety of the language (en-GB, en-US). */
export const locale: string =
  (globalThis.navigator?.languages ?? []).find(tag => tag.split('-')[0] === language) ?? language

/** The words. */
export const say: Messages = languages[language] ?? en
