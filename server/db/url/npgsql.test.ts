import { describe, expect, test } from 'vitest'
import type { DatabaseAddress } from '../address.ts'
import { printNpgsql, readNpgsql } from './npgsql.ts'

const read = (text: string): DatabaseAddress => readNpgsql(text, 0, text.length)

describe('an Npgsql connection string', () => {
  test.each([
    ['Host=db;Username=me', { hosts: [{ host: 'db', port: 5432 }], user: 'me', password: '', database: 'me' }],
    ['server=db; user id = me ;PWD=x;db=chat;', { user: 'me', password: 'x', database: 'chat' }],
    [';;HOST=db;;UserName=me;;', { user: 'me' }],
    [
      'Port=7;Host=a:1, b ,[::1]:3,::2;Username=me',
      {
        hosts: [
          { host: 'a', port: 1 },
          { host: 'b', port: 7 },
          { host: '::1', port: 3 },
          { host: '::2', port: 7 },
        ],
      },
    ],
    [
      'Host=/run/postgresql;Port=5433;Username=me',
      { hosts: [{ host: '/run/postgresql', port: 5433 }], tls: 'disable' },
    ],
    [`Host=db;Username=me;Password="a;b""c'd"`, { password: `a;b"c'd` }],
    [`Host=db;Username=me;Password= 'a;b''c"d' ;Database=x`, { password: `a;b'c"d`, database: 'x' }],
    [`Host=db;Username=me;Password= a"b c' =d `, { password: `a"b c' =d` }],
    ['Host=db;Username=me;Password=;Database=x', { password: '', database: 'x' }],
    ['Host=db;Username=me;SSL Mode=VerifyFull', { tls: 'verify-full' }],
    ['Host=db;Username=me;SslMode=verify-ca;Root Certificate=/ca.pem', { tls: 'verify-ca', authorityFile: '/ca.pem' }],
    ['Host=db;Username=me;SSL Mode=Require;Trust Server Certificate=true', { tls: 'require' }],
    ['Host=db;Username=me;Target Session Attributes=ReadWrite', { targetSessionAttrs: 'read-write' }],
    ['Host=db;Username=me;Target Session Attributes=prefer-standby', { targetSessionAttrs: 'prefer-standby' }],
    ['Host=db;Username=me;Load Balance Hosts=True;Timeout=9', { loadBalanceHosts: 'random', connectTimeoutS: 9 }],
    ['Host=db;Username=me;Channel Binding=Require;Application Name=our office', { applicationName: 'our office' }],
    ['Host=db;Username=me;Pooling=false;Maximum Pool Size=9;Command Timeout=3;Keepalive=5', { user: 'me' }],
  ])('%s is read as Npgsql reads it', (text, meaning) => {
    expect(read(text)).toMatchObject(meaning)
  })

  test.each([
    ['Host=db;Username=me;Password="x', /value at character 30 whose quote is never closed/],
    ['Host=db;Username=me;Password="x"y', /behind a closing quote at character 33/],
    ['Host=db;secret;Username=me', /word at character 9 that is not Name=value/],
    ['Host=db;Username=me;SSL Mode=Full', /value for SSL Mode at character 30 .*VerifyFull/],
    ['Host=db;Username=me;Usename=x', /did you mean "Username"\?/],
    ['Host=db;Username=me;Passfile=x', /has Passfile/],
    ['Host=db;Username=me;Search Path=x', /has Search Path .*Options=-c search_path/],
    ['Host=db;Username=me;Trust Server Certificate=false', /has Trust Server Certificate .*only true/],
    ['Host=a,,b;Username=me', /Host 2 in the database URL is empty at character 8/],
    ['Host=a:x,b;Username=me', /port .* at character 8 is not a number/],
    ['Host=db;Username=me;Port=1,2', /port .* at character 26 is not a number/],
    ['Host=db', /names no user, for example Host=db1:5432/],
    ['Username=me;Port=5', /names no host, for example Host=/],
  ])('%s is refused', (text, sentence) => {
    expect(() => read(text)).toThrow(sentence)
  })

  test('is quoted as .NET quotes', () => {
    const print = (password: string): string | undefined =>
      /Password=(.*);Database/.exec(
        printNpgsql({
          hosts: [{ host: 'db', port: 5432 }],
          user: 'me',
          password,
          database: 'chat',
          tls: 'prefer',
        }),
      )?.[1]
    expect(print('plain-1')).toBe('plain-1')
    expect(print('a;b')).toBe('"a;b"')
    expect(print('a"b')).toBe(`'a"b'`)
    expect(print(`a"b'c`)).toBe(`"a""b'c"`)
    expect(print('a=b')).toBe('"a=b"')
  })
})
