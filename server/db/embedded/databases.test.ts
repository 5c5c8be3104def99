import { expect, test } from 'vitest'
import { quietLog, temporaryDatabaseFolder } from '../../../test/support/database.ts'
import { ask, endWork, openWork } from '../copy/work.ts'
import { embeddedDatabases } from './databases.ts'
import { startEmbedded } from './embedded.ts'

test('the built-in server carries several databases, and after a restart uses the one it was told to', async () => {
  const dataDir = await temporaryDatabaseFolder()
  const first = await startEmbedded({ dataDir, log: quietLog })
  const databases = embeddedDatabases(first)
  expect(first.connection.database).toBe('lanthorn')
  await databases.create('new "one"')
  await expect(databases.create('new "one"')).rejects.toMatchObject({ code: '42P04' })
  await databases.rename('new "one"', 'newest')
  expect((await databases.list()).map(one => one.name)).toEqual(['lanthorn', 'newest'])
  await first.useDatabase('newest')
  expect(first.connection.database).toBe('newest')
  await databases.drop('lanthorn')
  await first.close()

  await using second = await startEmbedded({ dataDir, log: quietLog })
  const client = await openWork(second.connection)
  expect(await ask(client, 'SELECT current_database()::text AS name')).toEqual([{ name: 'newest' }])
  await endWork(client)
  expect((await embeddedDatabases(second).list()).map(one => one.name)).toEqual(['newest'])
})
