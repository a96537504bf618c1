"""The integers that the inputs of a benchmark matrix take."""


def input_ranges(case):
    """Least and greatest of each input; inputs have a sign unless the case says otherwise."""
    bits = case["x_bits"]
    reach = (-1 << bits - 1, (1 << bits - 1) - 1) if case.get("x_signed", True) else (0, (1 << bits) - 1)
    return [reach] * len(case["W"])
