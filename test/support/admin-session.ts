/** The admin API of a running appliance, as its pages use it. */
import type { Appliance } from './appliance.ts'

/** Sends a request. Throws an error with the answer when it is not a good one. */
export type Ask = (method: string, path: string, body?: unknown) => Promise<Response>

/** Signs in; from then on every request carries the session. */
export async function signInAs(appliance: Appliance, person: { username: string; password: string }): Promise<Ask> {
  const { origin } = new URL(appliance.adminUrl)
  const headers: Record<string, string> = { origin }
  const ask: Ask = async (method, path, body) => {
    const json = { 'content-type': 'application/json' }
    const content = body === undefined ? { headers } : { headers: { ...headers, ...json }, body: JSON.stringify(body) }
    const response = await fetch(`${origin}${path}`, { method, ...content })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response
  }
  const signedIn = await ask('POST', '/api/session', person)
  const cookies = signedIn.headers.getSetCookie().map(cookie => cookie.split(';')[0])
  headers.cookie = cookies.join('; ')
  return ask
}
