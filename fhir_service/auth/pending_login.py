"""A login between its two pages: the password was right, the code is to come.

It is kept by the browser, sealed, and holds for five minutes, for that browser and
while the account stays as it is.

https://cheatsheetseries.owasp.org/cheatsheets/Multifactor_Authentication_Cheat_Sheet.html
"""

import base64
import binascii
import hmac
from typing import Final

from conformance import fhir_json
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash
from fhir_service.storage import accounts
from fhir_service.storage.accounts import Account
from fhir_service.storage.body import BodyError
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.tables import SHARED

PENDING_S: Final = 300
"""How long a person may take to type the code."""

_LONGEST = 2048
_BOND: Final = b"pending login\x00"


def sealed(
    services: AuthServices, snapshot: Snapshot, account: Account, *, browser: str
) -> str:
    """Return what the browser keeps until the code is typed."""
    told = fhir_json.dumps(
        {
            "user": account.user_id,
            "account": _digest(account.password_hash),
            "browser": _digest(browser),
            "until": services.clock() + PENDING_S * 1_000_000,
        }
    )
    seal = services.secrets.sealer(snapshot, SHARED)
    return base64.urlsafe_b64encode(seal(_BOND + told)).decode()


def opened(
    services: AuthServices, snapshot: Snapshot, pending: str, *, browser: str
) -> Account | None:
    """Return who has typed the right password in this browser; None for nobody."""
    told = _unsealed(services, snapshot, pending)
    if told is None or int(told["until"]) <= services.clock():
        return None
    account = accounts.find_user(snapshot, told["user"])
    if account is None or not hmac.compare_digest(told["browser"], _digest(browser)):
        return None
    is_same = hmac.compare_digest(told["account"], _digest(account.password_hash))
    return account if is_same else None


def _unsealed(
    services: AuthServices, snapshot: Snapshot, pending: str
) -> dict[str, str] | None:
    if not 0 < len(pending) <= _LONGEST:
        return None
    try:
        packed = base64.urlsafe_b64decode(pending)
        opened = services.secrets.unsealer(snapshot)(packed)
    except (ValueError, binascii.Error, BodyError):
        return None
    if opened is None or not opened.startswith(_BOND):
        return None
    return fhir_json.loads_object(opened.removeprefix(_BOND))


def _digest(text: str) -> str:
    return token_hash(text).hex()
