/** The parameter key words of libpq (manual 32.1.2), for URIs and for key=value. */
import { makeVocabulary, type Vocabulary } from './vocabulary.ts'

const keys = 'signing in with keys instead of a password, which is not done here: sign in with a password'
const oauth = 'signing in with OAuth, which is not done here: sign in with a password'
const clientCertificate = 'signing in with a certificate of the client, which is not done here: sign in with a password'

/** libpq reads its words as they are written: small letters. */
export const libpqWords: Vocabulary = makeVocabulary(
  {
    known: {
      host: 'host',
      hostaddr: 'hostaddr',
      port: 'port',
      user: 'user',
      password: 'password',
      dbname: 'dbname',
      sslmode: 'sslmode',
      sslrootcert: 'sslrootcert',
      channel_binding: 'channel_binding',
      target_session_attrs: 'target_session_attrs',
      load_balance_hosts: 'load_balance_hosts',
      connect_timeout: 'connect_timeout',
      application_name: 'application_name',
      options: 'options',
    },
    harmless: {
      // How soon a dead connection is noticed: we keep our own, shorter limits, whatever the URL says.
      keepalives: true,
      keepalives_idle: true,
      keepalives_interval: true,
      keepalives_count: true,
      tcp_user_timeout: true,
      // Only used when nothing else names the program; we always do.
      fallback_application_name: true,
      // Compression was taken out of TLS; PostgreSQL 14 and later ignore it.
      sslcompression: true,
      // Node never sends less than TLS 1.2, and what is asked for here is a lower bound that we keep.
      ssl_min_protocol_version: ['tlsv1', 'tlsv1.1', 'tlsv1.2'],
      ssl_max_protocol_version: ['tlsv1.3'],
      // We send the host's name to the server (SNI), as libpq does by default.
      sslsni: ['1'],
      // We speak UTF-8; "auto" takes it from the terminal, which a server does not have.
      client_encoding: ['utf8', 'utf-8', 'unicode', 'auto'],
      // Encryption by Kerberos is never asked for; only who insists on it would get something else.
      gssencmode: ['disable', 'prefer'],
      gsslib: true,
      krbsrvname: true,
      gssdelegation: ['0'],
      sslnegotiation: ['postgres'],
      sslcertmode: ['disable', 'allow'],
      replication: ['false', 'off', 'no', '0'],
    },
    refused: {
      service: 'a service file of libpq, which is not read here: write what it says into the URL',
      servicefile: 'a service file of libpq, which is not read here: write what it says into the URL',
      passfile: 'a password file of libpq, which is not read here: write the password into the URL',
      sslcert: clientCertificate,
      sslkey: clientCertificate,
      sslpassword: clientCertificate,
      sslcrl: 'a list of revoked certificates, which is not read here: take it away',
      sslcrldir: 'a list of revoked certificates, which is not read here: take it away',
      sslkeylogfile: 'a file with the keys of the connection, which is not written here: take it away',
      requirepeer: 'the operating-system user of the server, which is not checked here: take it away',
      requiressl: 'encryption in a way that libpq no longer knows: write sslmode=require',
      ssl: 'encryption in a way that only ssl=true has: write sslmode',
      require_auth: 'certain ways of signing in, which cannot be chosen here: take it away',
      min_protocol_version: 'a version of the protocol, which cannot be chosen here: take it away',
      max_protocol_version: 'a version of the protocol, which cannot be chosen here: take it away',
      scram_client_key: keys,
      scram_server_key: keys,
      oauth_issuer: oauth,
      oauth_client_id: oauth,
      oauth_client_secret: oauth,
      oauth_scope: oauth,
    },
  },
  name => name,
)
