"""Signatures of deliveries by the Standard Webhooks scheme, so that the SDKs' own verifier accepts them."""

import base64
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
_SECRET_BYTES = 32  # the scheme wants 24 to 64


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(secret: str, event_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt. Each attempt is signed anew, for receivers refuse what is 5 minutes old.

    They come under two sets of names: older receivers know only the second.
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{event_id}.{timestamp_s}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    values = {"id": event_id, "timestamp": str(timestamp_s), "signature": f"v1,{signature}"}
    return {f"{prefix}-{name}": value for prefix in ("webhook", "svix") for name, value in values.items()}
