import copy
import pickle

import pytest

from keys.secret import KEY_SIZE, SecretKey

MATERIAL = bytes(range(KEY_SIZE))


def test_a_key_shows_nothing_when_printed() -> None:
    key = SecretKey(MATERIAL)
    shown = f"{key} {key!r} {[key]} {key:}"
    assert shown == "SecretKey(...) SecretKey(...) [SecretKey(...)] SecretKey(...)"
    assert not hasattr(key, "__dict__")


def test_a_key_is_neither_copied_nor_pickled() -> None:
    key = SecretKey(MATERIAL)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(key)


@pytest.mark.parametrize("size", [0, 16, KEY_SIZE - 1, KEY_SIZE + 1])
def test_a_key_of_another_size_is_refused_without_quoting_it(size: int) -> None:
    with pytest.raises(ValueError, match=r"^a key is 32 bytes$"):
        SecretKey(b"\x41" * size)


def test_equal_keys_are_equal_and_have_no_hash() -> None:
    assert SecretKey(MATERIAL) == SecretKey(MATERIAL)
    assert SecretKey(MATERIAL) != SecretKey(bytes(KEY_SIZE))
    assert SecretKey(MATERIAL) != MATERIAL
    with pytest.raises(TypeError, match="unhashable"):
        hash(SecretKey(MATERIAL))


def test_generated_keys_differ() -> None:
    assert len({SecretKey.generate().reveal() for _ in range(100)}) == 100
