/** Asks the system to start the service of this installation; the system asks the person for the right to do it. */
import { spawn } from 'node:child_process'
import type { ServiceKind } from './places.ts'

/** As long as somebody may look for a password. */
const ASKED_MS = 120_000

/** What starts it, program and arguments. */
export function startCommand(kind: ServiceKind): [string, string[]] {
  switch (kind) {
    case 'systemd':
      return ['systemctl', ['start', 'lanthorn.service']]
    case 'windows': {
      const start =
        "Start-Process -FilePath sc.exe -ArgumentList 'start','Lanthorn' -Verb RunAs -WindowStyle Hidden -Wait"
      return ['powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', start]]
    }
    case 'launchd': {
      const start = 'launchctl kickstart system/com.lanthorn.server'
      return ['osascript', ['-e', `do shell script "${start}" with administrator privileges`]]
    }
    default:
      return kind satisfies never
  }
}

/** Runs it. @returns one sentence when it did not work */
export function startService(kind: ServiceKind): Promise<string | undefined> {
  const [program, args] = startCommand(kind)
  return new Promise(resolve => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], windowsHide: true, timeout: ASKED_MS })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-500)
    })
    child.on('error', error => resolve(`The service could not be started: ${error.message}.`))
    child.on('close', code => {
      if (code === 0) resolve(undefined)
      else
        resolve(`The service could not be started: ${said.trim().split('\n').pop() || `${program} ended with ${code}`}`)
    })
  })
}
