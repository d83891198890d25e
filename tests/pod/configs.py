"""A config with most that there is, and the settings around it."""

from pathlib import Path

from pydantic import SecretStr

from trunkline.config import settings
from trunkline.config.file import ConfigFile, read
from trunkline.config.settings import Settings

CONFIG = """
verticals:
  health: {limits: {idle_s: 30, call_s_max: 1200}}
tenants:
  clinic: {vertical: health}
agents:
  reception:
    instructions: You answer for {{business}}, {{caller}}.
    greeting: Say hello from {{business}}.
    language: en-GB
    voice: marin
    tools: [find, book, end_call, handoff, transfer_call]
    handoffs: [billing]
    transfers: {doctor: "+15550100020"}
    limits: {idle_s: 12}
  billing:
    instructions: You answer questions about bills.
    handoffs: [reception]
    tools: [handoff]
  sales:
    instructions: You sell.
    models:
      - name: other-model
        url: "wss://models.example.com/v1/realtime"
        key_env: OTHER_KEY
        key_header: api-key
      - {name: third-model}
numbers:
  "+15550100001":
    agent: reception
    tenant: clinic
    variables: {business: the clinic, caller: nobody}
    overflow: {dial: "+15550100021"}
  "+15550100002": {agent: sales}
tools:
  find:
    kind: http
    url: "https://tools.example.com/find"
    description: Finds.
    secret_headers: {X-Key: TOOL_KEY}
    sign_with: SIGN_KEY
    filler_after_ms: 300
    idempotent: true
    parameters: {type: object, properties: {day: {type: string}}}
  book: {kind: python, target: "scene_tools:book_appointment", description: Books., timeout_s: 3}
"""
FOLDER = Path(__file__).parents[1] / "acceptance"
NAMED = {name: SecretStr(f"secret of {name}") for name in ("OTHER_KEY", "TOOL_KEY", "SIGN_KEY")}
ENVIRON = {
    "TRUNKLINE_HOST": "127.0.0.1",
    "TRUNKLINE_PORT": "0",
    "TRUNKLINE_INTERNAL_PORT": "0",
    "TRUNKLINE_POD_NAME": "pod-0",
    "TRUNKLINE_PUBLIC_URL": "https://voice.example.com",
    "TRUNKLINE_TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "TRUNKLINE_TWILIO_AUTH_TOKEN": "1" * 32,
    "TRUNKLINE_REALTIME_MODEL": "usual-model",
    "TRUNKLINE_REALTIME_API_KEY": "sk-usual",
}


def given(**more: str) -> Settings:
    return settings.load({**ENVIRON, **more}, None)


def config() -> ConfigFile:
    return read(CONFIG.encode(), FOLDER / "trunkline.yaml")
