"""What is said of a resource that cannot be looked after."""

from operators.drift.handlers.look import unattended


def test_what_cannot_be_looked_after_is_not_ready_unless_it_serves() -> None:
    assert [one.type for one in unattended("x", "ProviderUnknown", serves=True)] == ["Stalled"]
    assert [one.type for one in unattended("x", "ProviderUnknown", serves=False)] == ["Stalled", "Ready"]
