/** The XML namespaces of RFC 6120, 6121 and 7395 and of the XEPs most of the server speaks of. A feature's own NS stands in the feature. */

// XML itself
export const NS_XML = 'http://www.w3.org/XML/1998/namespace'
export const NS_XMLNS = 'http://www.w3.org/2000/xmlns/'

// RFC 6120, 6121, 7395: streams and stanzas
export const NS_CLIENT = 'jabber:client'
export const NS_SERVER = 'jabber:server'
export const NS_STREAM = 'http://etherx.jabber.org/streams'
export const NS_STREAMS = 'urn:ietf:params:xml:ns:xmpp-streams'
export const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
export const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
export const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
export const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
export const NS_SESSION = 'urn:ietf:params:xml:ns:xmpp-session'
export const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'
export const NS_ROSTER = 'jabber:iq:roster'
export const NS_ROSTERVER = 'urn:xmpp:features:rosterver'
export const NS_PREAPPROVAL = 'urn:xmpp:features:pre-approval'

// Streams beyond the RFCs
export const NS_COMPONENT_ACCEPT = 'jabber:component:accept' // XEP-0114
export const NS_SASL_CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0' // XEP-0440
export const NS_SM = 'urn:xmpp:sm:3' // XEP-0198
export const NS_CSI = 'urn:xmpp:csi:0' // XEP-0352

// What many features share
export const NS_DATA_FORMS = 'jabber:x:data' // XEP-0004
export const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info' // XEP-0030
export const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items' // XEP-0030
export const NS_PRIVATE = 'jabber:iq:private' // XEP-0049
export const NS_VCARD = 'vcard-temp' // XEP-0054
export const NS_RSM = 'http://jabber.org/protocol/rsm' // XEP-0059
export const NS_REGISTER = 'jabber:iq:register' // XEP-0077
export const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates' // XEP-0085
export const NS_CAPS = 'http://jabber.org/protocol/caps' // XEP-0115
export const NS_MUC_USER = 'http://jabber.org/protocol/muc#user' // XEP-0045
export const NS_RECEIPTS = 'urn:xmpp:receipts' // XEP-0184
export const NS_BLOCKING = 'urn:xmpp:blocking' // XEP-0191
export const NS_PING = 'urn:xmpp:ping' // XEP-0199
export const NS_TIME = 'urn:xmpp:time' // XEP-0202
export const NS_DELAY = 'urn:xmpp:delay' // XEP-0203
export const NS_CARBONS = 'urn:xmpp:carbons:2' // XEP-0280
export const NS_FORWARD = 'urn:xmpp:forward:0' // XEP-0297
export const NS_MAM = 'urn:xmpp:mam:2' // XEP-0313
export const NS_CHAT_MARKERS = 'urn:xmpp:chat-markers:0' // XEP-0333
export const NS_HINTS = 'urn:xmpp:hints' // XEP-0334
export const NS_STANZA_ID = 'urn:xmpp:sid:0' // XEP-0359
