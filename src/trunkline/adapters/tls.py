"""What a failed handshake was about, in words that name a remedy. Shared by both stores."""

import ssl


def why(fault: BaseException) -> str | None:
    """What TLS objected to, if a fault came from there; it holds nothing of a URL but its host."""
    found = caused_by(fault, ssl.SSLError)
    if isinstance(found, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {found.verify_message.rstrip('.')}"
    if isinstance(found, ssl.SSLError):
        reason = reason_of(found)
        if reason == "WRONG_VERSION_NUMBER":
            return "it does not speak TLS on this port"
        return f"TLS failed: {reason or type(found).__name__}"
    return None


def reason_of(fault: OSError) -> str | None:
    """OpenSSL's name for what went wrong, where it has one."""
    found: object = getattr(fault, "reason", None)  # Python's own faults of TLS have none.
    return found if isinstance(found, str) else None


def caused_by(fault: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The first of a kind among a fault and what led to it."""
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        if isinstance(fault, kind):
            return fault
        seen.add(id(fault))
        fault = fault.__cause__ or fault.__context__
    return None
