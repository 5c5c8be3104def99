/** Opens an address in the browser of the person at this PC. */
import { spawn } from 'node:child_process'

/** How a system opens addresses: program and arguments; undefined when nobody sits there. */
export function browserCommand(
  url: string,
  platform: NodeJS.Platform = process.platform,
  environment: NodeJS.ProcessEnv = process.env,
): [string, string[]] | undefined {
  if (!/^https?:\/\/[\w.:[\]-]+\/[\w#=/-]*$/.test(url)) return undefined
  if (environment.SSH_CONNECTION) return undefined
  switch (platform) {
    case 'win32':
      // A service (session 0) has no desktop to show anything on.
      return environment.SESSIONNAME === 'Services' ? undefined : ['rundll32.exe', ['url.dll,FileProtocolHandler', url]]
    case 'darwin':
      return ['open', [url]]
    default:
      return environment.DISPLAY || environment.WAYLAND_DISPLAY ? ['xdg-open', [url]] : undefined
  }
}

/** Opens it if there is a desktop; a failure is nobody's loss, the address is printed anyway. */
export function openBrowser(url: string): void {
  const command = browserCommand(url)
  if (!command) return
  const child = spawn(command[0], command[1], { stdio: 'ignore', detached: true, windowsHide: true })
  child.on('error', () => undefined) // no such program: a desktop without a browser
  child.unref()
}
