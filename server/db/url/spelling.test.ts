import { expect, test } from 'vitest'
import { type Spelling, spellingOf } from './spelling.ts'

test.each<[string, Spelling | undefined]>([
  ['postgresql://me@db/chat', 'libpq'],
  ['POSTGRES://me@db/chat', 'libpq'],
  ['jdbc:postgresql://db/chat', 'jdbc'],
  ['jdbc:mysql://db/chat', 'jdbc'],
  ['mysql://db/chat?a=b', undefined],
  ['db.office.test:5432', undefined],
  ['postgresql:/me@db/chat?sslmode=require', undefined],
  ['db1,db2?user=me', undefined],
  ['=x', undefined],
  ['Host=db', 'npgsql'],
  ['host=db', 'keywords'],
  ['host=db user=me', 'keywords'],
  ['host = db user = me', 'keywords'],
  ['host=db;username=me', 'npgsql'],
  ['host=db ; username=me', 'npgsql'],
  ['host=db;', 'npgsql'],
  ['Application Name=our office;Host=db', 'npgsql'],
  ['password=a;b host=db', 'keywords'],
  ["password='a;host=x' host=db", 'keywords'],
  ["password='it\\'s;host=' host=db", 'keywords'],
  ['password=a b;host=db', 'npgsql'],
  ['password="a;host=x";host=db', 'npgsql'],
  ['server=db;uid=me', 'npgsql'],
  ['usr=me host=db', 'keywords'],
  ['Hots=db;Username=me', 'npgsql'],
])('%s is in the spelling of %s', (text, spelling) => {
  expect(spellingOf(text)).toBe(spelling)
})
