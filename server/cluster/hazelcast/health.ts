/** Asks a member on this computer how it is, by its REST interface. */
import http from 'node:http'

export interface MemberHealth {
  /** Whether every entry has its copies. */
  readonly isSafe: boolean
  readonly clusterSize: number
}

const limitMs = 4_000
const answerMax = 10_000

/** @returns undefined when it does not answer in time, or not with what was asked */
export async function askHealth(port: number): Promise<MemberHealth | undefined> {
  try {
    const answer = JSON.parse(await get(port, '/hazelcast/health')) as { clusterSafe?: boolean; clusterSize?: number }
    return { isSafe: answer.clusterSafe === true, clusterSize: Number(answer.clusterSize) }
  } catch {
    return undefined // it hangs, starts or stops: its supervisor counts
  }
}

function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { host: '127.0.0.1', port, path, signal: AbortSignal.timeout(limitMs), agent: false },
      response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text = (text + chunk).slice(0, answerMax)
        })
        response.on('end', () => resolve(text))
        response.on('error', reject)
      },
    )
    request.on('error', reject)
  })
}
