import ssl

from trunkline.adapters.tls import caused_by, why


def refused(message: str) -> ssl.SSLCertVerificationError:
    fault = ssl.SSLCertVerificationError(1, "certificate verify failed")
    fault.verify_message = message
    return fault


def test_a_certificate_that_is_not_trusted_says_why() -> None:
    """OpenSSL's own words, which hold at most the host's name."""
    told = why(refused("self-signed certificate."))
    assert told == "its certificate is not trusted: self-signed certificate"


def test_a_port_without_tls() -> None:
    """OpenSSL takes a plain answer for a strange version of TLS."""
    fault = ssl.SSLError(1, "wrong version number")
    fault.reason = "WRONG_VERSION_NUMBER"
    assert why(fault) == "it does not speak TLS on this port"


def test_any_other_fault_of_tls_is_named() -> None:
    """By its reason, else by its kind."""
    fault = ssl.SSLError(1, "alert")
    fault.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert why(fault) == "TLS failed: TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert why(ssl.SSLEOFError()) == "TLS failed: SSLEOFError"


def test_what_has_nothing_to_do_with_tls() -> None:
    """A refused connection, say."""
    assert why(ConnectionRefusedError()) is None


def test_the_cause_is_found_below_what_a_driver_says() -> None:
    """Drivers raise their own from it, or while handling it."""
    below = RuntimeError("can't connect")
    below.__context__ = refused("unable to get local issuer certificate")
    fault = RuntimeError("tried twice")
    fault.__cause__ = below
    assert why(fault) == "its certificate is not trusted: unable to get local issuer certificate"
    assert caused_by(fault, KeyError) is None
