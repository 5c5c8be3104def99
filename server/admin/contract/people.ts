/** The people of the office. Every change is written to the history. */
import { type Static, Type } from 'typebox'
import { endpoint, limits, Moment } from './endpoint.ts'

/** One person as the list shows them. */
export const Person = Type.Object(
  {
    username: Type.String(),
    name: Type.String(),
    address: Type.String(),
    admin: Type.Boolean(),
    blocked: Type.Boolean(),
    online: Type.Boolean(),
    devices: Type.Integer({ minimum: 0, description: 'Connected right now.' }),
    lastSeen: Type.Union([Moment, Type.Null()], { description: 'null: never signed in.' }),
    madeAt: Moment,
  },
  { additionalProperties: false },
)
/** Static of {@link Person}. */
export type Person = Static<typeof Person>

const username = Type.Object({ username: Type.String({ minLength: 1, maxLength: 1023 }) })
const password = Type.String({ minLength: limits.passwordMin, maxLength: limits.passwordMax })
const personName = Type.String({ minLength: 1, maxLength: limits.personName })

/** GET: people by name, found by name or user name. */
export const listPeople = endpoint({
  method: 'GET',
  path: '/api/people',
  access: 'admin',
  summary: 'The people of the office, by name',
  query: Type.Object(
    {
      search: Type.Optional(Type.String({ maxLength: limits.searchText })),
      offset: Type.Optional(Type.Integer({ minimum: 0, default: 0 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageOf, default: 50 })),
    },
    { additionalProperties: false },
  ),
  reply: Type.Object(
    {
      people: Type.Array(Person, { maxItems: limits.pageOf }),
      total: Type.Integer({ minimum: 0, description: 'How many the search found.' }),
      everyone: Type.Integer({ minimum: 0, description: 'How many there are without a search.' }),
    },
    { additionalProperties: false },
  ),
})

/** POST: adds a person. Without a password one is made up and is in this answer only. */
export const addPerson = endpoint({
  method: 'POST',
  path: '/api/people',
  access: 'admin',
  summary: 'Adds a person',
  body: Type.Object(
    {
      name: personName,
      username: Type.String({ minLength: 1, maxLength: limits.username }),
      password: Type.Optional(password),
      admin: Type.Optional(Type.Boolean({ default: false })),
    },
    { additionalProperties: false },
  ),
  reply: Type.Object(
    { person: Person, password: Type.Optional(Type.String({ description: 'Only when it was made up here.' })) },
    { additionalProperties: false },
  ),
})

/** PATCH: another name, or administrator or not. The address never changes. */
export const changePerson = endpoint({
  method: 'PATCH',
  path: '/api/people/:username',
  access: 'admin',
  summary: 'Renames a person, makes them administrator or not',
  params: username,
  body: Type.Object(
    { name: Type.Optional(personName), admin: Type.Optional(Type.Boolean()) },
    { additionalProperties: false },
  ),
  reply: Person,
})

/** POST: a new password, given or made up; every device of the person is signed out. */
export const resetPassword = endpoint({
  method: 'POST',
  path: '/api/people/:username/password',
  access: 'admin',
  summary: 'Gives a person a new password',
  params: username,
  body: Type.Object({ password: Type.Optional(password) }, { additionalProperties: false }),
  reply: Type.Object(
    { password: Type.Optional(Type.String({ description: 'Only when it was made up here.' })) },
    { additionalProperties: false },
  ),
})

/** PUT: a blocked person cannot sign in and is signed out now; nothing of theirs is removed. */
export const blockPerson = endpoint({
  method: 'PUT',
  path: '/api/people/:username/blocked',
  access: 'admin',
  summary: 'Blocks a person, or lets them in again',
  params: username,
  body: Type.Object({ blocked: Type.Boolean() }, { additionalProperties: false }),
  reply: Person,
})

/** GET: what would go and what would stay if the person were removed. Each entry is a whole sentence. */
export const previewRemoval = endpoint({
  method: 'GET',
  path: '/api/people/:username/removal',
  access: 'admin',
  summary: 'What removing a person takes away and what it leaves',
  params: username,
  reply: Type.Object(
    {
      goes: Type.Array(Type.String(), { maxItems: 20, description: '“The account and its password.” “23 contacts.”' }),
      stays: Type.Array(Type.String(), { maxItems: 20, description: '“Messages stay with the others.”' }),
    },
    { additionalProperties: false },
  ),
})

/** DELETE: removes the person for good. */
export const removePerson = endpoint({
  method: 'DELETE',
  path: '/api/people/:username',
  access: 'admin',
  summary: 'Removes a person',
  params: username,
})
