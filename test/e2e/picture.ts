// Takes the README's picture of the home page, of a real appliance with people who really chat: `npm run picture`.
import { fileURLToPath } from 'node:url'
import { startAppliance } from '../support/appliance.ts'
import { RawClient } from '../support/raw.ts'
import { openBrowser, openPage, signIn } from './browser.ts'

const file = fileURLToPath(new URL('../../ui/home.png', import.meta.url))
const named = (username: string, name: string) => ({ username, name, password: `${username}-has-a-password` })
const anna = { username: 'anna', password: 'anna-has-the-keys' }
const staff = [
  named('ben', 'Ben Hall'),
  named('carla', 'Carla Ostermann'),
  named('dimitri', 'Dimitri Papadopoulos'),
  named('eve', 'Eve Ng'),
]
const messagesEach = 40

await using appliance = await startAppliance({
  config: { office: 'ACME', domain: 'acme.lan', node: 'FRONT-DESK', admin: anna, people: staff },
})
const { c2s: port } = appliance.ready
const ca = await appliance.officeCa()
for (const person of staff.slice(0, 3)) {
  const client = await RawClient.logIn({ over: 'tcp', port, domain: 'acme.lan', ca }, { ...person, resource: 'pc' })
  client.send('<presence/>')
  for (let count = 0; count < messagesEach; count++) {
    client.send(`<message type='chat' to='eve@acme.lan'><body>Minutes of the meeting, part ${count}</body></message>`)
  }
  client.send("<iq type='get' id='done'><ping xmlns='urn:xmpp:ping'/></iq>")
  await client.receives("<iq type='result' id='done'/>")
}
const browser = await openBrowser()
try {
  const { page } = await openPage(browser, { colorScheme: 'light', deviceScaleFactor: 1 })
  await signIn(page, appliance.adminUrl, anna)
  await page.getByText('people online').waitFor()
  await page.screenshot({ path: file })
  process.stdout.write(`${file}\n`)
} finally {
  await browser.close()
}
process.exit(0)
