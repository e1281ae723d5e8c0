"""Which copies are worth fusing."""

from diffuse_cli.restoration.copies.weighing import worth_fusing


def test_soft_copies_are_set_aside_unless_the_sharp_one_is_noisier_than_what_they_lost() -> None:
    assert worth_fusing([1e-5, 1e-5, 1e-5], [0.01, 0.01, 0.3]) == [True, True, True]
    assert worth_fusing([1e-5, 5e-3], [6e-3, 1e-5]) == [True, False]
    assert worth_fusing([5e-3, 1e-5], [1e-5, 0.2]) == [True, True]
    assert worth_fusing([1e-3, 8e-4, 5e-5], [1e-5, 1e-5, 1e-5]) == [False, False, True]
