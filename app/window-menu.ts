/** The menu of the window: what the keyboard can do with a page. Hidden until Alt is pressed, on macOS in the bar on top. Pure. */
import type { MenuItemConstructorOptions } from 'electron'

/** @param quit asks before it does */
export function windowMenu(platform: NodeJS.Platform, quit: () => void): MenuItemConstructorOptions[] {
  const view: MenuItemConstructorOptions = {
    label: 'View',
    submenu: [
      { role: 'reload' },
      { type: 'separator' },
      { role: 'resetZoom' },
      { role: 'zoomIn' },
      { role: 'zoomOut' },
      { role: 'togglefullscreen' },
    ],
  }
  const app: MenuItemConstructorOptions = {
    label: 'Lanthorn',
    submenu: [
      { role: 'about' },
      { type: 'separator' },
      { role: 'hide' },
      { role: 'hideOthers' },
      { role: 'unhide' },
      { type: 'separator' },
      { label: 'Quit…', accelerator: 'Command+Q', click: quit },
    ],
  }
  return [...(platform === 'darwin' ? [app] : []), { role: 'editMenu' }, view, { role: 'windowMenu' }]
}
