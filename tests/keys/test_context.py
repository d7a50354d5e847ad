import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.context import Context, Purpose

OWNED = sorted(set(Purpose) - {Purpose.ROOT_KEY, Purpose.KEYRING, Purpose.BACKUP})
# Few letters, so that two contexts are often nearly the same.
IDS = st.text(alphabet="ab /1", max_size=3)
CONTEXTS = st.builds(Context, st.sampled_from(OWNED), IDS.filter(bool), IDS, IDS)


@given(CONTEXTS, CONTEXTS)
def test_no_two_contexts_encode_alike(one: Context, other: Context) -> None:
    assert (one.encode() == other.encode()) == (one == other)


def test_the_encoding_begins_with_the_version_of_the_format() -> None:
    context = Context(Purpose.FILE, "practice-1", "case-2", "file-3")
    assert context.encode() == b"kluis/1\nfile\npractice-1\ncase-2\nfile-3"


@pytest.mark.parametrize("bad", ["a\nb", "a\0b", "\r", "a\u2028b", "\ud800", "\x7f"])
@pytest.mark.parametrize("field", ["controller_id", "case_id", "object_id"])
def test_an_id_that_could_blur_the_fields_is_refused(field: str, bad: str) -> None:
    ids = {"controller_id": "c", field: bad}
    with pytest.raises(ValueError, match="printable"):
        Context(Purpose.FILE, **ids)


@pytest.mark.parametrize("purpose", Purpose)
def test_all_but_the_keyring_and_back_ups_belong_to_a_controller(purpose: Purpose) -> None:
    owner, none = ("c", "") if purpose in OWNED else ("", "c")
    assert Context(purpose, owner).encode()
    with pytest.raises(ValueError, match="controller"):
        Context(purpose, none)
