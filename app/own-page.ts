/** The few pages that are not the server's: what the window shows while there is none. Text and one link each, no script. Pure. */
import type { Situation } from './tray-state.ts'

/** What the pages can offer, and to whom. */
export interface PageFacts {
  readonly canStart: boolean
  /** The name with which this person is logged in to the PC. */
  readonly account: string
  readonly platform: NodeJS.Platform
}

/** Where the ordinary sign-in page is when nothing else is known: the standard port of the admin pages, over loopback. */
export const SIGN_IN_PAGE = 'http://127.0.0.1:9090/'

/** The links of these pages. */
export const ownLinks = { start: 'lanthorn:start', signIn: 'lanthorn:sign-in' } as const

interface Page {
  readonly title: string
  readonly sentence: string
  readonly link?: { readonly to: string; readonly label: string }
}

/** The page as an address. */
export function ownPageOf(situation: Exclude<Situation, { at: 'up' | 'fresh' }>, facts: PageFacts): string {
  return `data:text/html;charset=utf-8,${encodeURIComponent(html(pageOf(situation, facts)))}`
}

function pageOf(
  situation: Exclude<Situation, { at: 'up' | 'fresh' }>,
  { canStart, account, platform }: PageFacts,
): Page {
  const start = canStart ? { link: { to: ownLinks.start, label: 'Start chat on this PC' } } : {}
  switch (situation.at) {
    case 'starting':
      return { title: 'One moment…', sentence: 'Chat on this PC is starting.' }
    case 'stopped':
      return { title: 'Chat is stopped on this PC', sentence: 'Nobody can chat here until it is started.', ...start }
    case 'lost':
      return {
        title: 'Chat does not answer',
        sentence: 'People cannot chat on this PC now. This page follows by itself when they can.',
        ...start,
      }
    case 'failed':
      return { title: 'Chat cannot start', sentence: situation.sentence, ...start }
    case 'locked':
      return {
        title: 'Chat runs on this PC, but not for you to manage',
        sentence: `Ask an administrator of this PC to ${howToLetIn(account, platform)}; or sign in with the password of an administrator of chat.`,
        link: { to: ownLinks.signIn, label: 'Open the sign-in page' },
      }
    default:
      return situation satisfies never
  }
}

/** Who may read the service's run.json (README, “Install”). */
function howToLetIn(account: string, platform: NodeJS.Platform): string {
  if (platform === 'win32') return `let “${account}” read the folder ProgramData\\Lanthorn\\run`
  return `add “${account}” to the group ${platform === 'darwin' ? '_lanthorn' : 'lanthorn'}, then log in again`
}

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replace(/[&<>"]/g, character => escapes[character] ?? character)

/** The colours are those of ui/src/look/tokens.css. */
const style = `
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; align-items: center; justify-content: center;
  background: #f6f4f0; color: #1f2328; font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; text-align: center }
h1 { margin: 20px 24px 8px; font-size: 22px }
p { margin: 0 24px 24px; max-width: 34em; color: #5b6470 }
a { padding: 10px 18px; border-radius: 9px; background: #a84c06; color: #fff; font-weight: 600; text-decoration: none }
a:focus-visible { outline: 3px solid #f2a65a; outline-offset: 2px }
@media (prefers-color-scheme: dark) {
  body { background: #14161a; color: #ecedef }
  p { color: #a3abb6 }
  a { background: #f2a65a; color: #241503 }
}`

const lantern = `<svg width="56" height="56" viewBox="0 0 26 26" aria-hidden="true"><rect x="1" y="1" width="24" height="24" rx="7" fill="#241503"/>
<g fill="none" stroke="#f2a65a" stroke-width="1.8"><path d="M9.5 7a3.5 3.5 0 0 1 7 0"/><rect x="7" y="7.500" width="12" height="14" rx="3.500"/></g>
<path d="M13 10.500c2 2.200 2.600 3.400 2.600 4.700a2.600 2.600 0 0 1-5.200 0c0-1.300.6-2.500 2.600-4.700z" fill="#f2a65a"/></svg>`

function html({ title, sentence, link }: Page): string {
  const button = link ? `<a href="${link.to}">${escaped(link.label)}</a>` : ''
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Lanthorn</title><style>${style}</style></head>
<body>${lantern}<h1>${escaped(title)}</h1><p>${escaped(sentence)}</p>${button}</body></html>`
}
