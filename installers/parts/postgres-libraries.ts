/** The libraries of others that PostgreSQL's makers put beside it, known by the names of their files. */
import type { Library } from './part.ts'

interface Known extends Library {
  /** A group in it is the version. */
  readonly file: RegExp
  /** The file in installers/licences. */
  readonly text: string
}

const known: readonly Known[] = [
  { name: 'OpenSSL', file: /^lib(?:crypto|ssl)\.so\.(1\.1)$/, licence: 'OpenSSL', text: 'openssl-1.1.txt' },
  { name: 'OpenSSL', file: /^lib(?:crypto|ssl)[-.](3)/, licence: 'Apache-2.0', text: 'apache-2.0.txt' },
  { name: 'ICU', file: /^(?:libicuuc\.(?:so\.)?|icuuc)(\d+(?:\.\d+)?)/, licence: 'Unicode-3.0', text: 'icu.txt' },
  { name: 'libxml2', file: /^libxml2\./, licence: 'MIT', text: 'notices.txt' },
  { name: 'libxslt', file: /^libxslt\./, licence: 'MIT', text: 'notices.txt' },
  { name: 'zlib', file: /^(?:libz|zlib1)\./, licence: 'Zlib', text: 'notices.txt' },
  { name: 'liblzma', file: /^liblzma\./, licence: 'LicenseRef-public-domain', text: 'notices.txt' },
  { name: 'OSSP uuid', file: /^libossp-uuid\./, licence: 'ISC', text: 'notices.txt' },
  { name: 'libuuid', file: /^libuuid\./, licence: 'BSD-3-Clause', text: 'notices.txt' },
  { name: 'LZ4', file: /^liblz4\./, licence: 'BSD-2-Clause', text: 'notices.txt' },
  { name: 'Zstandard', file: /^libzstd\./, licence: 'BSD-3-Clause', text: 'notices.txt' },
  { name: 'curl', file: /^libcurl\./, licence: 'curl', text: 'notices.txt' },
  {
    name: 'MIT Kerberos',
    file: /^lib(?:gssapi_krb5|krb5|krb5support|k5crypto|com_err)\./,
    licence: 'BSD-2-Clause',
    text: 'notices.txt',
  },
  { name: 'libedit', file: /^libedit\./, licence: 'BSD-3-Clause', text: 'notices.txt' },
  { name: 'GNU libiconv', file: /^libiconv[-.]/, licence: 'LGPL-2.1-or-later', text: 'lgpl-2.1.txt' },
  { name: 'GNU gettext', file: /^libintl[-.]/, licence: 'LGPL-2.1-or-later', text: 'lgpl-2.1.txt' },
  { name: 'winpthreads', file: /^libwinpthread-/, licence: 'MIT', text: 'notices.txt' },
]

/** The library that a file belongs to; undefined: PostgreSQL's own. */
export function libraryOf(file: string): (Library & { readonly text: string }) | undefined {
  for (const { name, file: pattern, licence, text } of known) {
    const found = pattern.exec(file)
    if (found) return { name, licence, text, ...(found[1] !== undefined && { version: found[1] }) }
  }
  return undefined
}
