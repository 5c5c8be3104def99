/** The few questions that are asked beside the window. */
import { app, dialog } from 'electron'
import type { Desktop } from '../server/admin/contract/desktop.ts'
import { whatHappens } from './tray-menu.ts'

/** What somebody who quits wants. */
export type QuitChoice = 'only-window' | 'stop-chat' | 'stay'

/** Asks what shall end: what is seen of it, or chat on this PC. */
export async function askHowToQuit({ peopleHere, movesTo, pc }: Desktop): Promise<QuitChoice> {
  const choices: readonly QuitChoice[] = ['only-window', 'stop-chat', 'stay']
  const { response } = await dialog.showMessageBox({
    type: 'question',
    title: 'Quit Lanthorn',
    message: `Chat on ${pc} goes on without this window and its icon.`,
    detail: `Stop chat on this PC: ${whatHappens(peopleHere, movesTo)}`,
    buttons: ['Quit only this window', 'Stop chat on this PC', 'Cancel'],
    defaultId: 0,
    cancelId: 2,
    noLink: true,
  })
  return choices[response] ?? 'stay'
}

/** Says what this is. */
export async function showAbout(icon: string, office: Desktop | undefined): Promise<void> {
  const served = office ? `${office.pc} carries ${office.office} with version ${office.version}.\n` : ''
  await dialog.showMessageBox({
    type: 'info',
    title: 'About Lanthorn',
    message: `Lanthorn ${app.getVersion()}`,
    detail: `${served}Chat for an office, carried by the office’s own PCs.\nElectron ${process.versions.electron}, MIT licence.`,
    icon,
    buttons: ['Close'],
  })
}

/** Says why something that was asked for was not done. */
export async function showRefusal(sentence: string): Promise<void> {
  await dialog.showMessageBox({ type: 'warning', title: 'Lanthorn', message: sentence, buttons: ['Close'] })
}
