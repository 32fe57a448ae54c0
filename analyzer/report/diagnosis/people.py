"""Explains calls that a person made at a shell: who, and in which session."""

from __future__ import annotations

import re
from typing import Optional

from analyzer.clients.table import Recognition
from analyzer.logline.launchers import LOGINS
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import replacement
from analyzer.report.diagnosis.parts import RETRIEVAL, assembled
from analyzer.report.diagnosis.scene import Link, Scene
from analyzer.report.diagnosis.surroundings import TokenRequests
from analyzer.report.diagnosis.tokens import why_no_token, worst
from analyzer.report.result import Cause, Diagnosis

# The title of sshd's process for one session.
_SSHD = re.compile(r"sshd(?:-session)?: (?P<user>[^@\s]{1,64})@(?P<terminal>[\w/-]{1,32})")
_SESSION_ID = re.compile(r"[A-Za-z0-9][\w.+=,@-]{3,127}", re.ASCII)
_SESSION_MANAGER = "ssm-session-worker"


def person(
    group: Group, found: Optional[Recognition], scene: Scene, asked: TokenRequests
) -> Diagnosis:
    """Return who typed the command, or sent it by ssh."""
    tool = found.client.name if found else group.key.program.rpartition("/")[2]
    is_typed = scene.identity is not None and scene.identity.kind == "person"
    how = "typed" if is_typed or group.key.kind == "person" else "sent a command with"
    user, session = _who(group, scene), _session(scene)
    summary = f"a person, {user}, {how} {tool}, which asked without a token ({session})"
    advice = ["No program has to be changed: tell the person to ask for a token, as below."]
    needs = _needed(found)
    if needs:
        advice = [f"The person has to use {needs}."]
    if asked.failed:
        why, cure = why_no_token(group, worst(asked.failed))
        advice.append(f"Also, {why}. {cure}")
    if len(group.users) > 1:
        advice.append(f"These users did: {', '.join(group.users)}.")
    commands = () if needs else replacement(group)
    return assembled(Cause.SCRIPT, summary, advice, commands, found, group, (RETRIEVAL,))


def _needed(found: Optional[Recognition]) -> str:
    client = found.client if found else None
    if client is None or client.kind not in ("program", "sdk") or not client.needs:
        return ""
    return client.name if client.needs == "0" else f"{client.name} {client.needs} or later"


def _who(group: Group, scene: Scene) -> str:
    """Return the user who logged in, and as whom the command ran if that is another."""
    own = scene.own.user if scene.own and scene.own.user else ", ".join(group.users) or "unknown"
    login = _login_user(scene)
    return f"{login} (as {own})" if login and login != own else own


def _login_user(scene: Scene) -> str:
    """Return whose the outermost process below the one that let the person in is."""
    below = ""
    for link in scene.links:
        if LOGINS.fullmatch(link.program.file):
            title = _title(link)
            return title["user"] if title else below
        below = link.user
    return ""


def _session(scene: Scene) -> str:
    login = scene.login
    parts = []
    if login is not None and login.program.file == _SESSION_MANAGER:
        parts.append(f"Session Manager{_session_id(login)}")
    elif login is not None:
        titles = (_title(link) for link in scene.links if LOGINS.fullmatch(link.program.file))
        title = next((each for each in titles if each), None)
        parts.append(f"sshd on {title['terminal']}" if title else login.program.name)
    if scene.unit:
        parts.append(scene.unit)
    return ", ".join(parts) or "at a shell"


def _session_id(login: Link) -> str:
    word = next((each for each in login.image.args[1:] if _SESSION_ID.fullmatch(each)), "")
    return f", session {word}" if word else ""


def _title(link: Link) -> Optional[re.Match[str]]:
    return _SSHD.match(link.image.args[0]) if link.image.args else None
