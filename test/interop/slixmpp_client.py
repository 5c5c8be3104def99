"""A slixmpp client that does what it is told, one JSON object a line on standard input, and answers on standard output.

    {"id": 1, "do": "connect", "jid": "romeo@office.test/desk", ...}    in
    {"id": 1, "result": {"jid": "romeo@office.test/desk"}}              out
    {"stanza": "<message .../>"}                                        out, for every stanza received
"""

import asyncio
import json
import logging
import sys
import threading

import slixmpp
from slixmpp.xmlstream import ET, tostring

SESSION_SECONDS = 15


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


class Client(slixmpp.ClientXMPP):
    """The library as it is, except that received stanzas are also shown to the test."""

    def __init__(self, jid, password):
        super().__init__(jid, password)
        # The tests decide about subscriptions themselves.
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        for plugin in ("xep_0198", "xep_0199", "xep_0280", "xep_0313"):
            self.register_plugin(plugin)
        self.session = None
        self.add_event_handler("session_start", lambda _: self.has_session("new session"))
        self.add_event_handler("session_resumed", lambda _: self.has_session("resumed"))
        self.add_event_handler("failed_all_auth", lambda _: self.has_no_session("authentication failed"))
        self.add_event_handler("connection_failed", lambda reason: self.has_no_session(f"no connection: {reason}"))
        self.add_event_handler("ssl_invalid_chain", lambda reason: self.has_no_session(f"certificate refused: {reason}"))

    def incoming_filter(self, xml):
        if xml.tag.split("}")[-1] in ("message", "presence", "iq"):
            say({"stanza": tostring(xml)})
        return xml

    def has_session(self, kind):
        if self.session and not self.session.done():
            self.session.set_result(kind)

    def has_no_session(self, reason):
        if self.session and not self.session.done():
            self.session.set_exception(RuntimeError(reason))


class Commands:
    """One method for each thing that can be asked for; what it returns is the answer."""

    client = None

    async def connect(self, jid, password, host, port, direct_tls, ca_file):
        self.client = client = Client(jid, password)
        client.ca_certs = ca_file
        client.enable_direct_tls = direct_tls
        client.enable_starttls = not direct_tls
        client.enable_plaintext = False
        self.address = (host, port)
        await self.resume()
        return {"jid": client.boundjid.full, "mechanism": client["feature_mechanisms"].mech.name}

    async def resume(self):
        if self.client.is_connected():
            await self.client.wait_until("disconnected", SESSION_SECONDS)
        self.client.session = asyncio.get_running_loop().create_future()
        self.client.connect(*self.address)
        return await asyncio.wait_for(self.client.session, SESSION_SECONDS)

    async def send(self, xml):
        self.client.send(self.client._build_stanza(ET.fromstring(xml), "jabber:client"))

    async def roster_get(self):
        await self.client.get_roster()
        roster = self.client.client_roster
        return [
            {"jid": jid, "name": roster[jid]["name"], "subscription": roster[jid]["subscription"]} for jid in roster.keys()
        ]

    async def roster_set(self, jid, name):
        await self.client.update_roster(slixmpp.JID(jid), name=name, subscription="none")

    async def presence(self, to=None, type=None, status=None):
        self.client.send_presence(pto=to, ptype=type, pstatus=status)

    async def message(self, to, body):
        self.client.send_message(mto=to, mbody=body, mtype="chat")

    async def enable_carbons(self):
        await self.client["xep_0280"].enable()

    async def query_archive(self, jid):
        messages = self.client["xep_0313"].iterate(with_jid=slixmpp.JID(jid), reverse=True, rsm={"max": 20}, total=20)
        found = []
        async for message in messages:
            result = message["mam_result"]
            forwarded = result["forwarded"]["stanza"]
            found.append({"id": result["id"], "from": forwarded["from"].full, "body": forwarded["body"]})
        return found[::-1]

    async def close(self):
        if self.client:
            await self.client.disconnect()


async def main():
    commands = Commands()
    lines = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while command := await lines.get():
        number, what = command.pop("id"), command.pop("do")
        try:
            say({"id": number, "result": await getattr(commands, what)(**command)})
        except Exception as error:  # whatever it is, the test has to hear of it
            say({"id": number, "error": f"{what}: {type(error).__name__}: {error}"})


logging.basicConfig(level=logging.INFO, stream=sys.stderr)
asyncio.run(main())
