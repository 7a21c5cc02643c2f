"""The names of the device profiles; what each means stands in `brands.py`."""

from typing import Literal

ProfileName = Literal[
    "generic",
    "smartthings",
    "kwikset",
    "august",
    "igloohome",
    "salto_ks",
    "hubitat",
    "wyze",
    "schlage",
    "ttlock",
    "lockly",
    "ultraloq",
    "dormakaba_oracode",
    "ecobee",
]
